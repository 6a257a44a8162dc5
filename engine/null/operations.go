package null

// What each operation takes: multiplications and additions, and the bytes of what it reads and writes, each once. Operations that go value by
// value are counted by their bytes; their arithmetic is beside that of the products nothing.

import "avssnative/engine/device"

func (d *Device) move(name string, tensors ...device.Tensor) {
	var work float64
	for _, t := range tensors {
		if t != nil {
			work = max(work, values(t))
		}
	}
	d.did(name, work, float64(size(tensors...)))
}

func (d *Device) Embed(dst device.Tensor, _ device.Matrix, _ []int32, _ float32) {
	d.move("embed", dst, dst)
}

func (d *Device) Product(dst, x device.Tensor, w device.Matrix, _ device.Tensor) {
	d.did("product", 2*values(x)*float64(w.Out()), float64(size(dst, x)+w.(*matrix).bytes))
}

func (d *Device) Norm(dst, x device.Tensor, _ device.Norm)      { d.move("norm", dst, x) }
func (d *Device) Add(dst, a, b device.Tensor, _ float32)        { d.move("add", dst, a, b) }
func (d *Device) Scale(x device.Tensor, _ float32, _ []float32) { d.move("scale", x, x) }
func (d *Device) Clamp(x device.Tensor, _ float32)              { d.move("clamp", x, x) }
func (d *Device) Activate(dst, gate, up device.Tensor, _ device.Activation) {
	if up == nil {
		d.move("activate", dst, gate)
		return
	}
	d.move("activate", dst, gate, up)
}
func (d *Device) Rope(x device.Tensor, _ device.Rope, _ []int32) { d.move("rope", x, x) }
func (d *Device) Gather(dst, _ device.Tensor, _ []int32)         { d.move("gather", dst, dst) }
func (d *Device) Scatter(_, src device.Tensor, _ []int32, _ []float32) {
	d.move("scatter", src, src, src)
}

// Attention counts every key that a row sees, within its window or chunk.
func (d *Device) Attention(dst, q, k, v device.Tensor, a device.Attention, l *device.Layout) {
	var pairs float64
	for i := range l.Sequences() {
		before := l.Before(i)
		for row := range int(l.Start[i+1] - l.Start[i]) {
			at := before + row
			seen := at + 1
			if !a.Causal {
				seen = before + int(l.Start[i+1]-l.Start[i])
			}
			if a.Window > 0 {
				seen = min(seen, a.Window)
			}
			if a.Chunk > 0 {
				seen = min(seen, at%a.Chunk+1)
			}
			pairs += float64(seen)
		}
	}
	d.did("attention", 2*pairs*float64(a.Heads)*float64(a.HeadDim+a.ValueDim), float64(size(dst, q, k, v)))
}

func (d *Device) Columns(dst, _ device.Tensor, moves []device.Move) {
	count := 0
	for _, m := range moves {
		count += m.Count
	}
	d.did("columns", 0, float64(2*4*dst.Rows())*float64(count))
}

func (d *Device) Convolve(dst, x, kernel, _ device.Tensor, _ *device.Layout) {
	d.did("convolve", 2*values(dst)*float64(kernel.Cols()), float64(size(dst, x, kernel)))
}

// DeltaRule reads and writes its state, which stays near, for every row: Sᵀk, the update, Sᵀq.
func (d *Device) DeltaRule(dst device.Tensor, r device.DeltaRule, _ *device.Layout) {
	state := float64(r.Heads) * float64(r.KeyDim) * float64(r.ValueDim)
	d.did("delta rule", 6*float64(dst.Rows())*state, float64(size(dst, r.Q, r.K, r.V)))
}

// Measure finds a tensor of zeros.
func (d *Device) Measure(m *device.Measure) {
	m.Out = make([]device.SequenceMeasure, m.Layout.Sequences())
	for i := range m.Out {
		m.Out[i].Tokens = int(m.Layout.Start[i+1] - m.Layout.Start[i])
	}
	var tensors []device.Tensor
	for _, t := range []device.Tensor{m.X, m.Y, m.Attn, m.MLP, m.Act} {
		if t != nil {
			tensors = append(tensors, t)
		}
	}
	d.did("measure", 16*float64(size(tensors...))/4, float64(size(tensors...)))
}

// Head finds every token as likely as any.
func (d *Device) Head(h *device.Head) {
	h.Rows, h.LogProbs = nil, nil
	for _, x := range h.X {
		h.Rows = append(h.Rows, make([]device.HeadRow, len(h.Offsets)-1))
		h.LogProbs = append(h.LogProbs, make([]float64, len(h.Targets)))
		d.did("head", 2*values(x)*float64(h.Weight.Out()), float64(size(x)+h.Weight.(*matrix).bytes))
	}
}
