package cuda

import (
	"slices"

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
		return d.product(storeEpilogue{to.view()}, from, m, 0, m.weight.Out, shift.at())
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

// product multiplies the rows of x by the weight's rows first to first+outputs; the epilogue takes the results.
func (d *gpu) product(e epilogue, x *tensor, m *matrix, first, outputs int, bias address[float32]) error {
	if x.rows == 0 || outputs == 0 {
		return nil
	}
	if only, stores := e.(storeEpilogue); stores && d.readsStored(m, x.rows) {
		return d.productStored(only, x, m, first, outputs, bias)
	}
	if err := m.widened(); err != nil {
		return err
	}
	if m.wide {
		o := operands[float32]{x.view(), viewOf[float32](m.at(first), m.pitch), bias, x.rows, outputs, x.cols}
		c, tall := e.inF32(o)
		return d.launch(grid(256, upTo(x.rows, tall), upTo(outputs, 64), 0), c)
	}
	c, err := d.narrow(x, 1)
	if err != nil {
		return err
	}
	if d.hopperServes(x.rows, outputs, stores(e)) {
		return d.hopperProduct(e, c, m, first, outputs, bias)
	}
	t, blocks := d.tileFor(e, x.rows, outputs)
	o := operands[bfloat16]{c.view(), viewOf[bfloat16](m.at(first), m.pitch), bias, x.rows, outputs, m.pitch}
	if blocks > 0 {
		return d.productSplit(e, t, blocks, o)
	}
	return d.launch(grid(t.threads, upTo(x.rows, t.rows), upTo(outputs, t.cols), t.shared), e.inBF16(t, o))
}

// productStored multiplies by quantised blocks as they are stored.
func (d *gpu) productStored(e storeEpilogue, x *tensor, m *matrix, first, outputs int, bias address[float32]) error {
	c, err := d.narrow(x, 1)
	if err != nil {
		return err
	}
	w := viewOf[byte](m.raw.at+pointer(first*m.line), m.line)
	return d.launch(grid(64, upTo(x.rows, 16), upTo(outputs, 32), 0), fewKernel[m.weight.Type](e.dst, c.view(), w, bias, x.rows, outputs, x.cols))
}

// readsStored says whether products of so many rows read the weight's quantised blocks as they are stored.
func (d *gpu) readsStored(m *matrix, rows int) bool {
	return m.raw != nil && rows <= fewRows && d.forced == nil
}

// fewKernel holds the kernels that read a stored type as it is (product_quantised.cu).
var fewKernel = map[device.DType]func(dst view[float32], x view[bfloat16], w view[byte], bias address[float32], m, n, k int) kernelCall{
	device.Q8_0: kernelProductQ8_0Few, device.Q4_K: kernelProductQ4KFew,
}

// fewRows is how many rows count as few: so many that reading the weight is what takes the time.
const fewRows = 32

// tile is one of the shapes of product_bf16.cu and product_split.cu. All give the same bits.
type tile struct {
	kernel                      string
	rows, cols, threads, shared int
	resident                    int     // blocks that a multiprocessor is given at a time where blocks share the tiles
	slower                      float64 // a value's time beside the largest shape's on an A100, whose second-level cache has fewer bytes a cycle
	store                       func(dst view[float32], x, w view[bfloat16], bias address[float32], m, n, k int) kernelCall
	sums                        func(slots address[groupSums], eps address[float32], dst view[float32], x, w view[bfloat16],
		bias address[float32], m, n, k int) kernelCall
	head func(slots address[logitGroup], found address[float64], offsets, targets address[int32], scale, softCap float32,
		x, w view[bfloat16], bias address[float32], m, n, k int) kernelCall
	splitStore func(partial address[float32], turns address[uint32], turn uint32, dst view[float32], x, w view[bfloat16],
		bias address[float32], m, n, k int) kernelCall
	splitSums func(slots address[groupSums], eps, partial address[float32], turns address[uint32], turn uint32, dst view[float32],
		x, w view[bfloat16], bias address[float32], m, n, k int) kernelCall
}

var (
	tileBig = tile{"product_bf16", 128, 256, 256, 4 * (128 + 256) * 64, 1, 1, kernelProductBF16, kernelProductBF16Sums, kernelProductBF16Head,
		kernelProductSplit, kernelProductSplitSums}
	tileWide = tile{"", 64, 128, 128, 4 * (64 + 128) * 64, 2, 1.03, nil, nil, nil, kernelProductSplitWide, kernelProductSplitWideSums}
	tileMid  = tile{"product_bf16_mid", 64, 64, 128, 4 * (64 + 64) * 64, 2, 1.37, kernelProductBF16Mid, kernelProductBF16MidSums,
		kernelProductBF16MidHead, kernelProductSplitMid, kernelProductSplitMidSums}
	tileFew = tile{"product_bf16_few", 16, 32, 64, 12 * (16 + 32) * 64, 1, 1, kernelProductBF16Few, nil, nil, nil, nil}
)

func init() {
	for _, suffix := range []string{"", "_sums", "_head"} {
		largestShared[tileBig.kernel+suffix] = tileBig.shared
	}
	for _, suffix := range []string{"", "_sums"} {
		largestShared["product_split"+suffix] = tileBig.shared
		largestShared["product_split_wide"+suffix] = tileWide.shared
	}
}

// tileFor takes the shape that keeps the multiprocessors busy for the shortest time, and says into how many blocks its tiles are shared out;
// 0: a block a tile. Logits, of which there are many more than tiles, are not shared out.
func (d *gpu) tileFor(e epilogue, rows, cols int) (t tile, blocks int) {
	_, head := e.(headEpilogue)
	switch {
	case d.forced != nil:
		t = *d.forced
		if t.kernel == tileFew.kernel && !stores(e) {
			t = tileMid
		}
		if head {
			return t, 0
		}
		return t, min(d.sharing, upTo(rows, t.rows)*upTo(cols, t.cols))
	case rows <= fewRows && stores(e):
		return tileFew, 0
	case head && (upTo(rows, tileBig.rows)*upTo(cols, tileBig.cols) < d.card.processors || rows <= 64):
		return tileMid, 0
	case head:
		return tileBig, 0
	}
	t = tileBig
	for _, other := range []tile{tileWide, tileMid} {
		if other.cost(rows, cols, d.card.processors) < t.cost(rows, cols, d.card.processors) {
			t = other
		}
	}
	return t, t.splitBlocks(upTo(rows, t.rows)*upTo(cols, t.cols), d.card.processors)
}

// narrow gives the bfloat16 copy of a tensor, made once until the tensor is written again.
func (d *gpu) narrow(x *tensor, heads int) (*narrowed, error) {
	for _, c := range x.in.copies {
		here := c.first == x.first && c.rows == x.rows && c.cols == x.cols && c.stride == x.stride
		if here && (c.heads == heads || c.run*c.heads == x.cols && x.cols/heads%8 == 0) {
			return c, nil
		}
	}
	c, err := d.newCopy(x, heads)
	if err != nil {
		return nil, err
	}
	if err := d.launch(cells(x.rows, c.pitch), kernelNarrow(c.view(), x.view(), x.cols/heads, c.run, heads, x.rows)); err != nil {
		x.in.copies = slices.DeleteFunc(x.in.copies, func(kept *narrowed) bool { return kept == c }) // nobody may take it for the tensor
		d.release(&err, c.block)
		return nil, err
	}
	return c, nil
}

// newCopy takes memory for the bfloat16 copy of a tensor.
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
			return with(d, ids, func(at address[int32]) error {
				return d.launch(cells(to.rows, to.cols), kernelEmbed(to.view(), viewOf[byte](m.at(0), m.pitch), flag(m.wide), at, scale, to.rows, to.cols))
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
	return with(d, raw, func(at address[byte]) error {
		return d.launch(cells(to.rows, to.cols), kernelDequantise(viewOf[byte](pointer(to.at()), to.stride), 1, view[byte]{at, int64(size)},
			quantisedAs[w.Type], scale, to.rows, to.cols, to.cols))
	})
}
