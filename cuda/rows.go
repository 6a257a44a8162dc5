package cuda

import (
	"avssnative/engine/device"
)

// What works row by row: the kernels normalise, add, scale, clamp, activate.

// Norm normalises every row of x, or every group of a row. Where x is what has just been added up, one kernel does both.
func (d *gpu) Norm(dst, x device.Tensor, n device.Norm) {
	d.joining("norm", func(after *addition) error {
		a := arguments{d: d}
		from := a.tensor("x", x, any_, any_)
		to := a.tensor("dst", dst, from.rows, from.cols)
		groups := max(n.Groups, 1)
		a.want(n.Groups >= 0 && from.cols%groups == 0, "%d groups of %d columns", n.Groups, from.cols)
		a.want(n.Kind == device.NormRMS || n.Kind == device.NormLayer || n.Kind == device.NormL2, "unknown kind %d", n.Kind)
		weight, sharedWeight := a.perColumn("weight", n.Weight, from.cols, from.cols/groups)
		bias, sharedBias := a.perColumn("bias", n.Bias, from.cols, from.cols/groups)
		joined := a.err == nil && after.into(from) && !after.touches(to)
		if !joined {
			if err := d.add(after); err != nil {
				return err
			}
			after = &addition{a: from}
		}
		if a.err != nil || from.empty() {
			return a.err
		}
		narrow, err := d.copyOf(to)
		if err != nil {
			return err
		}
		blocks := grid(256, from.rows, groups, 0)
		if from.cols/groups <= 256 {
			blocks = grid(256, upTo(from.rows*groups, 8), 1, 0)
		}
		return d.launch(blocks, kernelNormalise(to.view(), after.dst.view(), after.a.view(), after.b.view(), after.scale, narrow, int(narrow.ld),
			weight.at(), flag(sharedWeight), bias.at(), flag(sharedBias), n.Offset, int(n.Kind), n.Eps, groups, from.rows, from.cols))
	})
}

// perColumn takes an optional row of one value a column, or of one a column of a group.
func (a *arguments) perColumn(name string, t device.Tensor, cols, size int) (*tensor, bool) {
	if t != nil && t.Cols() == size {
		return a.optional(name, t, 1, size), true
	}
	return a.optional(name, t, 1, cols), false
}

// copyOf drops what was kept of a tensor that is about to be written, and takes memory for its new bfloat16 copy where products want one; the
// copy lies at 0 where they do not.
func (d *gpu) copyOf(to *tensor) (view[bfloat16], error) {
	if err := to.wrote(); err != nil {
		return view[bfloat16]{}, err
	}
	if d.compute != device.ComputeBF16 {
		return viewOf[bfloat16](0, to.cols), nil
	}
	c, err := d.newCopy(to, 1)
	if err != nil {
		return view[bfloat16]{}, err
	}
	return c.view(), nil
}

// Add sets dst = a + scale·b. It waits for the next operation, which may take it over.
func (d *gpu) Add(dst, a, b device.Tensor, scale float32) {
	d.do("add", func() error {
		c := arguments{d: d}
		first := c.tensor("a", a, any_, any_)
		second := c.tensor("b", b, first.rows, first.cols)
		to := c.tensor("dst", dst, first.rows, first.cols)
		if c.err != nil || to.empty() {
			return c.err
		}
		if err := to.wrote(); err != nil {
			return err
		}
		d.later = &addition{dst: to, a: first, b: second, scale: scale}
		return nil
	})
}

// addition is dst = a + scale·b.
type addition struct {
	dst, a, b *tensor
	scale     float32
}

// add does an addition by itself; nil is none.
func (d *gpu) add(p *addition) error {
	if p == nil {
		return nil
	}
	return d.launch(cells(p.dst.rows, p.dst.cols), kernelAdd(p.dst.view(), p.a.view(), p.b.view(), p.scale, p.dst.rows, p.dst.cols))
}

// into says whether the addition's result is this very view, and lies apart from its terms or in the place of the first: then a kernel that
// handles a row as a whole may do it on the way.
func (p *addition) into(t *tensor) bool {
	return p != nil && !p.dst.on.plain && t != nil && same(p.dst, t) && (same(p.dst, p.a) || p.dst.in != p.a.in) && p.dst.in != p.b.in
}

// touches says whether a tensor shares memory with the addition.
func (p *addition) touches(t *tensor) bool {
	return t != nil && (t.in == p.dst.in || t.in == p.a.in || t.in == p.b.in)
}

func same(a, b *tensor) bool {
	return a.in == b.in && a.first == b.first && a.rows == b.rows && a.cols == b.cols && a.stride == b.stride
}

// Scale multiplies x by factor, and row i also by rows[i] where rows is not nil.
func (d *gpu) Scale(x device.Tensor, factor float32, rows []float32) {
	d.do("scale", func() error {
		a := arguments{d: d}
		t := a.tensor("x", x, any_, any_)
		a.want(rows == nil || len(rows) == t.rows, "%d factors for %d rows", len(rows), t.rows)
		if a.err != nil || t.empty() {
			return a.err
		}
		if err := t.wrote(); err != nil {
			return err
		}
		return with(d, rows, func(scales address[float32]) error {
			return d.launch(cells(t.rows, t.cols), kernelScale(t.view(), factor, scales, t.rows, t.cols))
		})
	})
}

// Clamp limits every value of x to [−limit, limit].
func (d *gpu) Clamp(x device.Tensor, limit float32) {
	d.do("clamp", func() error {
		a := arguments{d: d}
		t := a.tensor("x", x, any_, any_)
		if a.err != nil || t.empty() {
			return a.err
		}
		if err := t.wrote(); err != nil {
			return err
		}
		return d.launch(cells(t.rows, t.cols), kernelClamp(t.view(), limit, t.rows, t.cols))
	})
}

// Activate sets dst = f(gate) ⊙ up, or f(gate) where up is nil.
func (d *gpu) Activate(dst, gate, up device.Tensor, f device.Activation) {
	d.do("activate", func() error {
		a := arguments{d: d}
		to := a.tensor("dst", dst, any_, any_)
		cols := to.cols
		if f.Interleaved {
			cols *= 2
		}
		from := a.tensor("gate", gate, to.rows, cols)
		other := a.optional("up", up, to.rows, to.cols)
		a.want(f.Kind <= device.SwiGLUClamped, "unknown activation %d", f.Kind)
		a.want(!f.Interleaved || up == nil, "an interleaved gate holds its own up")
		a.want(f.Kind != device.SwiGLUClamped || f.Interleaved || up != nil, "this activation needs an up")
		if f.Interleaved {
			a.apart(to, from)
		}
		if a.err != nil || to.empty() {
			return a.err
		}
		narrow, err := d.copyOf(to)
		if err != nil {
			return err
		}
		return d.launch(cells(to.rows, int(narrow.ld)), kernelActivate(to.view(), from.view(), other.view(), narrow, int(narrow.ld), int(f.Kind),
			flag(f.Interleaved), f.Alpha, f.Limit, f.AlphaP, f.AlphaN, f.Beta, f.Eps, to.rows, to.cols))
	})
}
