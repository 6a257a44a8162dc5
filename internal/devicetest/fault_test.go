package devicetest

import (
	"cmp"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"

	"avssnative/engine/device"
)

// The net is only as good as what it catches. Each fault here is a "reference" that does one thing wrong; the table must find out.

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

// caught says whether some case of an operation fails on a device; the cheapest are asked first.
func caught(device, reference device.Device, operation string) bool {
	for _, c := range cheapestFirst() {
		if c.operation == operation && len(check(device, reference, c)) > 0 {
			return true
		}
	}
	return false
}

var cheapestFirst = sync.OnceValue(func() []testCase {
	cases := slices.DeleteFunc(slices.Clone(table()), func(c testCase) bool { return c.large })
	slices.SortStableFunc(cases, func(a, b testCase) int { return cmp.Compare(a.flops+a.bytes, b.flops+b.bytes) })
	return cases
})

var operations = []string{"Product", "Embed", "Norm", "Add", "Scale", "Clamp", "Activate", "Rope", "Attention", "Gather", "Scatter", "Columns", "Convolve", "DeltaRule"}

// One value of a result, off by a hundredth, at every corner; and only where there are many rows or columns.
func TestAlteredValuesAreCaught(t *testing.T) {
	reference := openReference(t)
	for _, operation := range operations {
		for name, where := range map[string]func(rows, cols int) (row, col int){
			"first":                  func(rows, cols int) (int, int) { return 0, 0 },
			"last":                   func(rows, cols int) (int, int) { return rows - 1, cols - 1 },
			"last row, from the 8th": func(rows, cols int) (int, int) { return rows - 1, (cols - 1) * min(1, rows/8) },
			"last column":            func(rows, cols int) (int, int) { return rows / 2, cols - 1 },
		} {
			f := &faulty{Device: reference, alter: func(done string, dst device.Tensor) {
				if done != operation {
					return
				}
				line := make([]float32, dst.Cols())
				row, col := where(dst.Rows(), dst.Cols())
				reference.Download(line, dst, row)
				line[col] += 0.01 * (float32(math.Abs(float64(line[col]))) + 0.1)
				reference.Upload(dst, row, line)
			}}
			if !caught(f, reference, operation) {
				t.Errorf("%s: an altered value (%s) was not noticed", operation, name)
			}
		}
	}
}

// Every field of what Measure and Head find, one at a time.
func TestAlteredFindingsAreCaught(t *testing.T) {
	reference := openReference(t)
	var fields []string
	leaves(reflect.ValueOf(&device.SequenceMeasure{}).Elem(), "", func(path string, _ reflect.Value) { fields = append(fields, path) })
	if len(fields) != perSequence {
		t.Fatalf("%d fields are found, %d compared", len(fields), perSequence)
	}
	for _, field := range fields {
		f := &faulty{Device: reference}
		f.measure = func(m *device.Measure) {
			f.after(func() {
				for i := range m.Out {
					leaves(reflect.ValueOf(&m.Out[i]).Elem(), "", func(path string, v reflect.Value) {
						if path == field && i == len(m.Out)-1 {
							nudge(v)
						}
					})
				}
			})
		}
		if !caught(f, reference, "Measure") {
			t.Errorf("Measure: an altered %s was not noticed", field)
		}
	}
	for _, field := range []string{".LogSum", ".Top", ".KL", "log-probability"} {
		f := &faulty{Device: reference}
		f.head = func(h *device.Head) {
			f.after(func() {
				last := len(h.X) - 1
				if n := len(h.LogProbs[last]); field == "log-probability" && n > 0 {
					h.LogProbs[last][n-1] += 0.01
				}
				if n := len(h.Rows[last]); n > 0 {
					leaves(reflect.ValueOf(&h.Rows[last][n-1]).Elem(), "", func(path string, v reflect.Value) {
						if path == field {
							nudge(v)
						}
					})
				}
			})
		}
		if !caught(f, reference, "Head") {
			t.Errorf("Head: an altered %s was not noticed", field)
		}
	}
}

// leaves visits every number in a struct.
func leaves(v reflect.Value, path string, visit func(path string, v reflect.Value)) {
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			leaves(v.Field(i), path+"."+v.Type().Field(i).Name, visit)
		}
	case reflect.Array:
		for i := range v.Len() {
			leaves(v.Index(i), fmt.Sprintf("%s[%d]", path, i), visit)
		}
	default:
		visit(path, v)
	}
}

func nudge(v reflect.Value) {
	if v.CanInt() {
		v.SetInt(v.Int() + 1)
		return
	}
	v.SetFloat(v.Float() + 0.01*(math.Abs(v.Float())+0.1))
}

// Every parameter that an operation could forget or take for another.
func TestForgottenParametersAreCaught(t *testing.T) {
	reference := openReference(t)
	try := func(operation, what string, f *faulty) {
		t.Helper()
		f.Device = reference
		if !caught(f, reference, operation) {
			t.Errorf("%s: %s was not noticed", operation, what)
		}
	}
	mutants := map[string]mutant{
		"Embed/no scale":        {embed: func(scale *float32, _ []int32) { *scale = 1 }},
		"Embed/the id before":   {embed: func(_ *float32, ids []int32) { decrement(ids) }},
		"Product/no bias":       {product: func(bias *device.Tensor) { *bias = nil }},
		"Norm/no ε":             {norm: func(n *device.Norm) { n.Eps = 0 }},
		"Norm/no groups":        {norm: func(n *device.Norm) { n.Groups = 0; n.Weight, n.Bias = nil, nil }},
		"Norm/no weight":        {norm: func(n *device.Norm) { n.Weight = nil }},
		"Norm/no bias":          {norm: func(n *device.Norm) { n.Bias = nil }},
		"Norm/no offset":        {norm: func(n *device.Norm) { n.Offset = 0 }},
		"Add/no scale":          {add: func(scale *float32) { *scale = 1 }},
		"Scale/no factor":       {scale: func(factor *float32, _ *[]float32) { *factor = 1 }},
		"Scale/no row factors":  {scale: func(_ *float32, rows *[]float32) { *rows = nil }},
		"Clamp/wrong limit":     {clamp: func(limit *float32) { *limit *= 1.0001 }},
		"Rope/no scale":         {rope: func(r *device.Rope, _ []int32) { r.Scale = 0 }},
		"Rope/no offset":        {rope: func(r *device.Rope, _ []int32) { r.Offset = 0 }},
		"Rope/other pairs":      {rope: func(r *device.Rope, _ []int32) { r.Interleaved = !r.Interleaved }},
		"Rope/float32 angles":   {rope: func(r *device.Rope, _ []int32) { singles(r.Frequencies) }},
		"Rope/position before":  {rope: func(_ *device.Rope, positions []int32) { decrement(positions) }},
		"Attention/not causal":  {attention: func(a *device.Attention) { a.Causal = false }},
		"Attention/causal":      {attention: func(a *device.Attention) { a.Causal = true }},
		"Attention/no window":   {attention: func(a *device.Attention) { a.Window = 0 }},
		"Attention/window +1":   {attention: func(a *device.Attention) { a.Window += min(a.Window, 1) }},
		"Attention/no chunk":    {attention: func(a *device.Attention) { a.Chunk = 0 }},
		"Attention/no cap":      {attention: func(a *device.Attention) { a.SoftCap = 0 }},
		"Attention/no slopes":   {attention: func(a *device.Attention) { a.Slopes = nil }},
		"Attention/no sinks":    {attention: func(a *device.Attention) { a.Sinks = nil }},
		"Attention/other scale": {attention: func(a *device.Attention) { a.Scale = float32(1 / math.Sqrt(float64(a.HeadDim))) }},
		"Attention/no prefix":   {layout: func(l *device.Layout) { l.Prefix = nil }},
		"Convolve/no prefix":    {layout: func(l *device.Layout) { l.Prefix = nil }},
		"Convolve/no bias":      {convolve: func(bias *device.Tensor) { *bias = nil }},
		"DeltaRule/no prefix":   {layout: func(l *device.Layout) { l.Prefix = nil }},
		"DeltaRule/gate for β":  {delta: func(d *device.DeltaRule) { d.Beta = d.Gate }},
		"DeltaRule/β for gate":  {delta: func(d *device.DeltaRule) { d.Gate = d.Beta }},
		"DeltaRule/k for q":     {delta: func(d *device.DeltaRule) { d.Q = d.K }},
		"Gather/row before":     {gather: decrement},
		"Scatter/no weights":    {scatter: func(weights *[]float32) { *weights = nil }},
		"Columns/a move less":   {columns: func(moves *[]device.Move) { *moves = (*moves)[:max(len(*moves)-1, 0)] }},
	}
	for kind := device.Identity; kind <= device.SwiGLUClamped; kind++ {
		mutants[fmt.Sprintf("Activate/kind %d for another", kind)] = mutant{activate: func(a *device.Activation, _ *device.Tensor) {
			if a.Kind == kind {
				a.Kind = (kind + 1) % device.SwiGLUClamped
			}
		}}
	}
	mutants["Activate/tanh for erf"] = mutant{activate: func(a *device.Activation, _ *device.Tensor) {
		if a.Kind == device.GELU {
			a.Kind = device.GELUTanh
		}
	}}
	for name, forget := range map[string]func(*device.Activation){
		"α": func(a *device.Activation) { a.Alpha = 1 }, "limit": func(a *device.Activation) { a.Limit = 3 },
		"αp": func(a *device.Activation) { a.AlphaP = 1 }, "αn": func(a *device.Activation) { a.AlphaN = 1 },
		"β": func(a *device.Activation) { a.Beta = 0 }, "ε": func(a *device.Activation) { a.Eps = 0 },
	} {
		mutants["Activate/no "+name] = mutant{activate: func(a *device.Activation, _ *device.Tensor) { forget(a) }}
	}
	mutants["Activate/no up"] = mutant{activate: func(a *device.Activation, up *device.Tensor) {
		if a.Kind != device.SwiGLUClamped {
			*up = nil
		}
	}}
	for name, m := range mutants {
		operation, what, _ := strings.Cut(name, "/")
		try(operation, what, &faulty{mutant: m})
	}
	for name, forget := range map[string]func(*device.Head){
		"no bias": func(h *device.Head) { h.Bias = nil }, "no scale": func(h *device.Head) { h.Scale = 0 },
		"no cap": func(h *device.Head) { h.SoftCap = 0 }, "no divergence": func(h *device.Head) { h.Diverge = false },
		"divergence unasked": func(h *device.Head) { h.Diverge = true },
	} {
		try("Head", name, &faulty{head: forget})
	}
	for name, forget := range map[string]func(*device.Measure){
		"no pooling": func(m *device.Measure) { m.Pooled = false }, "another threshold": func(m *device.Measure) { m.Relative *= 1.01 },
		"pooling unasked": func(m *device.Measure) { m.Pooled = true }, "x for y": func(m *device.Measure) {
			if m.X != nil {
				m.X, m.Y = m.Y, m.X
			}
		},
	} {
		try("Measure", name, &faulty{measure: forget})
	}
}

func decrement(values []int32) {
	for i := range values {
		values[i] = max(values[i]-1, 0)
	}
}

func singles(values []float64) {
	for i := range values {
		values[i] = float64(float32(values[i]))
	}
}

// Breaking a rule of Device by the least bit.
func TestBrokenRulesAreCaught(t *testing.T) {
	reference := openReference(t)
	ulp := func(d device.Device, dst device.Tensor, row int) {
		line := make([]float32, dst.Cols())
		d.Download(line, dst, row)
		line[0] = math.Nextafter32(line[0], float32(math.Inf(1)))
		d.Upload(dst, row, line)
	}
	for _, operation := range operations {
		if operation == "Gather" || operation == "Columns" || operation == "Clamp" {
			continue // must be exact anyway
		}
		beside := &faulty{Device: reference, alter: func(done string, dst device.Tensor) {
			if done == operation && dst.Rows() > 4 {
				ulp(reference, dst, 0)
			}
		}}
		if !caught(beside, reference, operation) {
			t.Errorf("%s: a result that depends on the number of rows was not noticed", operation)
		}
		found := false
		for _, c := range cheapestFirst() {
			if c.operation == operation && !found {
				found = len(compareThreads(reference, map[int]device.Device{2: beside}, c)) > 0
			}
		}
		if !found {
			t.Errorf("%s: a result that depends on the number of threads was not noticed", operation)
		}
	}
}

// Writing beside a view, into the column behind its last.
func TestWritingOutsideIsCaught(t *testing.T) {
	reference := openReference(t)
	spill := &spilling{Device: reference}
	for _, operation := range []string{"Product", "Norm", "Attention", "Gather"} {
		if !caught(spill, reference, operation) {
			t.Errorf("%s: a write outside of the view was not noticed", operation)
		}
	}
}

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
