package devicetest

import "avssnative/engine/device"

// faulty passes every operation on, altered as its fields say.
type faulty struct {
	device.Device
	alter   func(operation string, dst device.Tensor) // after an operation
	measure func(*device.Measure)                     // what to do to it before
	head    func(*device.Head)
	found   func() // after the next Sync
	pending bool
	mutant  mutant
}

// mutant holds what changes an operation's parameters; nil fields change nothing.
type mutant struct {
	embed     func(scale *float32, ids []int32)
	product   func(bias *device.Tensor)
	norm      func(*device.Norm)
	add       func(scale *float32)
	scale     func(factor *float32, rows *[]float32)
	clamp     func(limit *float32)
	activate  func(a *device.Activation, up *device.Tensor)
	rope      func(*device.Rope, []int32)
	attention func(*device.Attention)
	layout    func(*device.Layout)
	gather    func(rows []int32)
	scatter   func(weights *[]float32)
	columns   func(moves *[]device.Move)
	convolve  func(bias *device.Tensor)
	delta     func(*device.DeltaRule)
}

func (f *faulty) done(operation string, dst device.Tensor) {
	if f.alter != nil && dst.Rows() > 0 && dst.Cols() > 0 {
		f.alter(operation, dst)
	}
}

func (f *faulty) Sync() error {
	err := f.Device.Sync()
	if f.pending && f.found != nil {
		f.found()
		f.pending = false
	}
	return err
}

func (f *faulty) Embed(dst device.Tensor, table device.Matrix, ids []int32, scale float32) {
	if f.mutant.embed != nil {
		ids = append([]int32(nil), ids...)
		f.mutant.embed(&scale, ids)
	}
	f.Device.Embed(dst, table, ids, scale)
	f.done("Embed", dst)
}

func (f *faulty) Product(dst, x device.Tensor, w device.Matrix, bias device.Tensor) {
	if f.mutant.product != nil {
		f.mutant.product(&bias)
	}
	f.Device.Product(dst, x, w, bias)
	f.done("Product", dst)
}

func (f *faulty) Norm(dst, x device.Tensor, n device.Norm) {
	if f.mutant.norm != nil {
		f.mutant.norm(&n)
	}
	f.Device.Norm(dst, x, n)
	f.done("Norm", dst)
}

func (f *faulty) Add(dst, a, b device.Tensor, scale float32) {
	if f.mutant.add != nil {
		f.mutant.add(&scale)
	}
	f.Device.Add(dst, a, b, scale)
	f.done("Add", dst)
}

func (f *faulty) Scale(x device.Tensor, factor float32, rows []float32) {
	if f.mutant.scale != nil {
		f.mutant.scale(&factor, &rows)
	}
	f.Device.Scale(x, factor, rows)
	f.done("Scale", x)
}

func (f *faulty) Clamp(x device.Tensor, limit float32) {
	if f.mutant.clamp != nil {
		f.mutant.clamp(&limit)
	}
	f.Device.Clamp(x, limit)
	f.done("Clamp", x)
}

func (f *faulty) Activate(dst, gate, up device.Tensor, a device.Activation) {
	if f.mutant.activate != nil {
		f.mutant.activate(&a, &up)
	}
	f.Device.Activate(dst, gate, up, a)
	f.done("Activate", dst)
}

func (f *faulty) Rope(x device.Tensor, r device.Rope, positions []int32) {
	if f.mutant.rope != nil {
		positions = append([]int32(nil), positions...)
		f.mutant.rope(&r, positions)
	}
	f.Device.Rope(x, r, positions)
	f.done("Rope", x)
}

func (f *faulty) Attention(dst, q, k, v device.Tensor, a device.Attention, l *device.Layout) {
	if f.mutant.attention != nil {
		f.mutant.attention(&a)
	}
	f.Device.Attention(dst, q, k, v, a, f.laid(l))
	f.done("Attention", dst)
}

func (f *faulty) Gather(dst, src device.Tensor, rows []int32) {
	if f.mutant.gather != nil {
		rows = append([]int32(nil), rows...)
		f.mutant.gather(rows)
	}
	f.Device.Gather(dst, src, rows)
	f.done("Gather", dst)
}

func (f *faulty) Scatter(dst, src device.Tensor, rows []int32, weights []float32) {
	if f.mutant.scatter != nil {
		f.mutant.scatter(&weights)
	}
	f.Device.Scatter(dst, src, rows, weights)
	f.done("Scatter", dst)
}

func (f *faulty) Columns(dst, src device.Tensor, moves []device.Move) {
	if f.mutant.columns != nil {
		f.mutant.columns(&moves)
	}
	f.Device.Columns(dst, src, moves)
	f.done("Columns", dst)
}

func (f *faulty) Convolve(dst, x, kernel, bias device.Tensor, l *device.Layout) {
	if f.mutant.convolve != nil {
		f.mutant.convolve(&bias)
	}
	f.Device.Convolve(dst, x, kernel, bias, f.laid(l))
	f.done("Convolve", dst)
}

func (f *faulty) DeltaRule(dst device.Tensor, d device.DeltaRule, l *device.Layout) {
	if f.mutant.delta != nil {
		f.mutant.delta(&d)
	}
	f.Device.DeltaRule(dst, d, f.laid(l))
	f.done("DeltaRule", dst)
}

func (f *faulty) Measure(m *device.Measure) {
	if f.measure != nil {
		f.measure(m)
	}
	f.Device.Measure(m)
}

func (f *faulty) Head(h *device.Head) {
	if f.head != nil {
		f.head(h)
	}
	f.Device.Head(h)
}

func (f *faulty) laid(l *device.Layout) *device.Layout {
	if f.mutant.layout == nil {
		return l
	}
	changed := *l
	f.mutant.layout(&changed)
	return &changed
}

// after keeps what is to be done once results are there.
func (f *faulty) after(found func()) { f.pending, f.found = true, found }

// spilling writes one column too many wherever it uploads to a view.
type spilling struct {
	device.Device
	wide device.Tensor
}

func (s *spilling) NewTensor(rows, cols int) device.Tensor {
	s.wide = s.Device.NewTensor(rows, cols)
	return s.wide
}

func (s *spilling) Upload(dst device.Tensor, row int, src []float32) {
	s.Device.Upload(dst, row, src)
	if dst != s.wide {
		s.Device.Upload(s.wide.Columns(left+dst.Cols(), 1).Slice(above, 1), 0, []float32{0})
	}
}
