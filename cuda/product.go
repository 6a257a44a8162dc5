package cuda

import (
	"avssnative/engine/device"
)

// Product sets dst = x·Wᵀ + bias.
func (d *gpu) Product(dst, x device.Tensor, w device.Matrix, bias device.Tensor) {
	d.do("product", func() error {
		a := arguments{d: d}
		to, from, m, shift := a.product(dst, x, w, bias)
		if a.err != nil {
			return a.err
		}
		if err := to.wrote(); err != nil {
			return err
		}
		return d.product(to.at(), to.stride, from, m, 0, m.weight.Out, shift.at())
	})
}

// product checks a product's arguments.
func (a *arguments) product(dst, x device.Tensor, w device.Matrix, bias device.Tensor) (to, from *tensor, m *matrix, shift *tensor) {
	m = a.matrix("weight", w)
	from = a.tensor("x", x, any_, m.weight.In)
	to = a.tensor("dst", dst, from.rows, m.weight.Out)
	shift = a.optional("bias", bias, 1, m.weight.Out)
	a.apart(to, from, shift)
	return to, from, m, shift
}

// product multiplies the rows of x by the weight's rows first to first+outputs.
func (d *gpu) product(to uint64, ld int, x *tensor, m *matrix, first, outputs int, bias uint64) error {
	return d.finished(finish{arguments: []uint64{to, number(ld)}}, x, m, first, outputs, bias)
}

// finish is what becomes of a product's results (finish.cuh): the end of the kernels' names, and the arguments that come first.
type finish struct {
	suffix    string
	arguments []uint64
}

// finished multiplies the rows of x by the weight's rows first to first+outputs and finishes the results.
func (d *gpu) finished(f finish, x *tensor, m *matrix, first, outputs int, bias uint64) error {
	if x.rows == 0 || outputs == 0 {
		return nil
	}
	launch := func(name string, s shape, rest ...uint64) error {
		return d.launch(name, s, append(append([]uint64(nil), f.arguments...), rest...)...)
	}
	if f.suffix == "" && d.readsStored(m, x.rows) {
		c, err := d.narrow(x, 1)
		if err != nil {
			return err
		}
		return launch(fewKernel[m.weight.Type], grid(64, upTo(x.rows, 16), upTo(outputs, 32), 0), uint64(c.block.at), number(c.pitch), uint64(m.raw.at)+uint64(first*m.line), number(m.line),
			bias, number(x.rows), number(outputs), number(x.cols))
	}
	if err := m.widened(); err != nil {
		return err
	}
	w := m.at() + uint64(first)*uint64(m.pitch)*uint64(m.size())
	if m.wide {
		name, tall := "product_f32"+f.suffix, 64
		if x.rows <= 16 && f.suffix == "" {
			name, tall = "product_f32_few", 16
		}
		return launch(name, grid(256, upTo(x.rows, tall), upTo(outputs, 64), 0), x.at(), x.ld(), w, number(m.pitch), bias, number(x.rows), number(outputs), number(x.cols))
	}
	c, err := d.narrow(x, 1)
	if err != nil {
		return err
	}
	if d.hopperServes(x.rows) {
		return d.hopperProduct(f, c, m, first, outputs, bias)
	}
	t := d.tileFor(x.rows, outputs)
	if f.suffix != "" && t.kernel == tileFew.kernel {
		t = tileMid
	}
	return launch(t.kernel+f.suffix, grid(t.threads, upTo(x.rows, t.rows), upTo(outputs, t.cols), t.shared), uint64(c.block.at), number(c.pitch),
		w, number(m.pitch), bias, number(x.rows), number(outputs), number(m.pitch))
}

// readsStored says whether products of so many rows read the weight's quantised blocks as they are stored.
func (d *gpu) readsStored(m *matrix, rows int) bool {
	return m.raw != nil && rows <= fewRows && d.forced == nil && !d.hopperServes(rows)
}

// fewKernel names the kernels that read a stored type as it is (product_quantised.cu).
var fewKernel = map[device.DType]string{device.Q8_0: "product_q8_0_few", device.Q4_K: "product_q4_k_few"}

// fewRows is how many rows count as few: so many that reading the weight is what takes the time.
const fewRows = 32

// tile is one of the shapes of product_bf16.cu. All give the same bits.
type tile struct {
	kernel                      string
	rows, cols, threads, shared int
}

var (
	tileBig = tile{"product_bf16", 128, 256, 256, 4 * (128 + 256) * 64}
	tileMid = tile{"product_bf16_mid", 64, 64, 128, 4 * (64 + 64) * 64}
	tileFew = tile{"product_bf16_few", 16, 32, 64, 12 * (16 + 32) * 64}
)

func init() {
	for _, suffix := range []string{"", "_sums", "_head"} {
		largestShared[tileBig.kernel+suffix] = tileBig.shared
	}
}

// tileFor takes the shape that reads least where there is enough work for every multiprocessor.
func (d *gpu) tileFor(rows, cols int) tile {
	switch {
	case d.forced != nil:
		return *d.forced
	case rows <= fewRows:
		return tileFew
	case upTo(rows, tileBig.rows)*upTo(cols, tileBig.cols) < d.card.processors || rows <= 64:
		return tileMid
	}
	return tileBig
}

// narrow gives the bfloat16 copy of a tensor, made once until the tensor is written again.
func (d *gpu) narrow(x *tensor, heads int) (*narrowed, error) {
	for _, c := range x.in.copies {
		if c.first == x.first && c.rows == x.rows && c.cols == x.cols && c.stride == x.stride && (c.heads == heads || c.run*c.heads == x.cols && x.cols/heads%8 == 0) {
			return c, nil
		}
	}
	c, err := d.newCopy(x, heads)
	if err != nil {
		return nil, err
	}
	return c, d.launch("narrow", cells(x.rows, c.pitch), uint64(c.block.at), number(c.pitch), x.at(), x.ld(), number(x.cols/heads), number(c.run), number(heads), number(x.rows))
}

// newCopy makes room for the bfloat16 copy of a tensor.
func (d *gpu) newCopy(x *tensor, heads int) (*narrowed, error) {
	run := (x.cols/heads + 7) &^ 7
	b, err := d.memory.take(int64(x.rows) * int64(run*heads) * 2)
	if err != nil {
		return nil, err
	}
	c := &narrowed{first: x.first, rows: x.rows, cols: x.cols, stride: x.stride, heads: heads, block: b, pitch: run * heads, run: run}
	x.in.copies = append(x.in.copies, c)
	return c, nil
}

// Embed sets dst[i] = scale · table[ids[i]]. Where the table's copy on the device was rounded, the rows come from the stored weight.
func (d *gpu) Embed(dst device.Tensor, table device.Matrix, ids []int32, scale float32) {
	d.do("embed", func() error {
		a := arguments{d: d}
		m := a.matrix("table", table)
		to := a.tensor("dst", dst, len(ids), m.weight.In)
		for i, id := range ids {
			a.want(id >= 0 && int(id) < m.weight.Out, "token id %d at row %d, vocabulary has %d", id, i, m.weight.Out)
		}
		if a.err != nil || to.empty() {
			return a.err
		}
		if err := to.wrote(); err != nil {
			return err
		}
		if m.wide || m.weight.Type == device.BF16 {
			return with(d, ids, func(at uint64) error {
				return d.launch("embed", cells(to.rows, to.cols), to.at(), to.ld(), m.at(), number(m.pitch), flag(m.wide), at, real(scale), number(to.rows), number(to.cols))
			})
		}
		return d.embedStored(to, m.weight, ids, scale)
	})
}

// embedStored takes the rows from the file: exact, and no more is read than is used.
func (d *gpu) embedStored(to *tensor, w device.Weight, ids []int32, scale float32) error {
	values, bytes, err := w.Type.Block()
	if err != nil {
		return err
	}
	if values == 1 {
		lines := make([]float32, len(ids)*w.In)
		for i, id := range ids {
			line := lines[i*w.In:][:w.In]
			if err := w.Float32s(line, int(id)); err != nil {
				return err
			}
			for j := range line {
				line[j] *= scale
			}
		}
		return d.upload(to, 0, lines)
	}
	size, stride := w.In/values*bytes, w.Stride/values*bytes
	raw := make([]byte, 0, len(ids)*size)
	for _, id := range ids {
		raw = append(raw, w.Data[w.Row(int(id))*stride:][:size]...)
	}
	return with(d, raw, func(at uint64) error {
		return d.launch("dequantise", cells(to.rows, to.cols), to.at(), to.ld(), 1, at, number(size), quantisedAs[w.Type], real(scale), number(to.rows), number(to.cols), number(to.cols))
	})
}
