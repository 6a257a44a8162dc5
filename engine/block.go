package engine

import (
	"fmt"
	"math"

	"avssnative/engine/arch"
	"avssnative/engine/device"
)

// forward carries one batch of rows through one block: the layer's weights, how the rows lie, and tensors to work in.
type forward struct {
	device    device.Device
	weights   *layerWeights
	pool      *pool
	layout    *device.Layout
	positions []int32
	rows      int
	few       bool                                  // the rows are those of a step of generation: device.FewRows, where the device has it
	cache     *layerCache                           // what the layer keeps of earlier tokens; nil: every sequence is whole
	sums      []float32                             // thresholds where a branch's results are to be summed on the way; else nil
	tap       func(l *arch.Linear, x device.Tensor) // is shown what enters each linear layer; nil: nobody looks
	act       device.Tensor                         // what entered the MLP's output projection, for observers; returned to the pool after they have seen it
}

// branches are what a block's observers may look at, besides its input and output.
type branches struct{ attn, mlp, act device.Tensor }

// block computes y from x, both [rows × hidden], without a part of the block, and leaves what its branches gave for measuring, nil where a
// branch is left out; release them with give.
func (f *forward) block(y, x device.Tensor, b *arch.BlockSpec, without Part) branches {
	if b.PostNorm {
		return f.postNorm(y, x, b, without)
	}
	normed := f.normed(x, &b.Norm1)
	residual := x
	if b.ResidualNormed {
		residual = normed
	}
	var attn, mlp device.Tensor
	if without != Attention && b.Mixer != nil {
		attn = f.branch(f.mix(b.Mixer, normed), &b.Post1, b.Residual)
	}
	f.sum(y, residual, attn)
	if without == MLP || b.MLP == nil {
		f.drop(normed, x)
		return branches{attn: attn}
	}
	switch {
	case b.Parallel && b.SharedNorm:
	case b.Parallel:
		f.drop(normed, x)
		normed = f.normed(x, &b.Norm2)
	default:
		f.drop(normed, x)
		normed = f.normed(y, &b.Norm2)
		if b.ResidualNormed {
			f.device.Gather(y, normed, identity(f.rows))
		}
	}
	mlp = f.branch(f.mlp(b.MLP, normed), &b.Post2, b.Residual)
	f.sum(y, y, mlp)
	f.drop(normed, x, y)
	return branches{attn, mlp, f.act}
}

// sum sets y to the residual and what a branch gave; without the branch, to the residual.
func (f *forward) sum(y, residual, branch device.Tensor) {
	switch {
	case branch != nil:
		f.device.Add(y, residual, branch, 1)
	case y != residual:
		f.device.Columns(y, residual, []device.Move{{From: 0, To: 0, Count: y.Cols()}})
	}
}

// mix lets tokens see each other: x [rows × hidden] → [rows × hidden].
func (f *forward) mix(m arch.Mixer, x device.Tensor) device.Tensor {
	switch m := m.(type) {
	case *arch.AttentionSpec:
		return f.attention(m, x)
	case *arch.LatentSpec:
		return f.latentAttention(m, x)
	case *arch.DeltaSpec:
		return f.deltaRule(m, x)
	case *arch.ConvolutionSpec:
		return f.shortConvolution(m, x)
	case *arch.LinearSpec:
		return f.linearMap(m, x)
	}
	panic(fmt.Sprintf("engine: a mixer that the walk does not know: %T", m))
}

// mlp treats every token alone: x [rows × hidden] → [rows × hidden]. What entered its output projection is left in f.act.
func (f *forward) mlp(m arch.MLP, x device.Tensor) device.Tensor {
	switch m := m.(type) {
	case *arch.GatedSpec:
		return f.gated(m, x)
	case *arch.ExpertsSpec:
		return f.experts(m, x)
	}
	panic(fmt.Sprintf("engine: an MLP that the walk does not know: %T", m))
}

// postNorm is the block of the first Transformers: norms follow the sums.
func (f *forward) postNorm(y, x device.Tensor, b *arch.BlockSpec, without Part) branches {
	var attn, mlp device.Tensor
	if without != Attention && b.Mixer != nil {
		attn = f.mix(b.Mixer, x)
	}
	middle := f.take(x.Cols())
	f.sum(middle, x, attn)
	f.norm(middle, middle, &b.Norm1)
	if without != MLP && b.MLP != nil {
		mlp = f.mlp(b.MLP, middle)
	}
	f.sum(y, middle, mlp)
	f.norm(y, y, &b.Norm2)
	f.give(middle)
	return branches{attn, mlp, f.act}
}

// branch finishes what a mixer or MLP gave: its own norm and the residual multiplier.
func (f *forward) branch(t device.Tensor, post *arch.NormSpec, residual float32) device.Tensor {
	f.norm(t, t, post)
	if residual != 0 && residual != 1 {
		f.device.Scale(t, residual, nil)
	}
	return t
}

// normed is x normalised into a tensor of its own, or x itself where there is no norm.
func (f *forward) normed(x device.Tensor, n *arch.NormSpec) device.Tensor {
	if n.Kind == device.NormNone {
		return x
	}
	out := f.take(x.Cols())
	f.norm(out, x, n)
	return out
}

// norm applies a norm; where there is none, dst must be x.
func (f *forward) norm(dst, x device.Tensor, n *arch.NormSpec) {
	if n.Kind == device.NormNone {
		return
	}
	f.device.Norm(dst, x, device.Norm{Kind: n.Kind, Eps: n.Eps, Groups: n.Groups, Offset: n.Offset,
		Weight: f.weights.vector(&n.Weight), Bias: f.weights.vector(&n.Bias)})
}

// linear is x·Wᵀ + b in a tensor from the pool.
func (f *forward) linear(x device.Tensor, l *arch.Linear) device.Tensor {
	f.show(l, x)
	out := f.pool.take(x.Rows(), f.weights.matrices[&l.Weight].Out())
	f.product(out, x, l)
	return out
}

// product sets out = x·Wᵀ + b.
func (f *forward) product(out, x device.Tensor, l *arch.Linear) {
	w, bias := f.weights.matrices[&l.Weight], f.weights.vector(&l.Bias)
	if few, able := f.device.(device.FewRows); able && f.few {
		few.ProductFew(out, x, w, bias)
	} else {
		f.device.Product(out, x, w, bias)
	}
}

// summed is linear for what a branch gives: its results are summed on the way where that is wanted and the device can.
func (f *forward) summed(x device.Tensor, l *arch.Linear) device.Tensor {
	device, able := f.device.(device.Summing)
	if !able || f.sums == nil {
		return f.linear(x, l)
	}
	f.show(l, x)
	w := f.weights.matrices[&l.Weight]
	out := f.pool.take(x.Rows(), w.Out())
	device.ProductSummed(out, x, w, f.weights.vector(&l.Bias), f.sums)
	return out
}

// show lets the tap see what enters a linear layer.
func (f *forward) show(l *arch.Linear, x device.Tensor) {
	if f.tap != nil {
		f.tap(l, x)
	}
}

// take is a tensor of this batch's rows from the pool.
func (f *forward) take(cols int) device.Tensor { return f.pool.take(f.rows, cols) }

// give returns tensors to the pool; nil ones are ignored.
func (f *forward) give(tensors ...device.Tensor) {
	for _, t := range tensors {
		if t != nil {
			f.pool.give(t)
		}
	}
}

// drop gives t back unless it is one of the tensors still in use.
func (f *forward) drop(t device.Tensor, inUse ...device.Tensor) {
	for _, other := range inUse {
		if t == other {
			return
		}
	}
	f.give(t)
}

// identity lists 0 to n−1.
func identity(n int) []int32 {
	rows := make([]int32, n)
	for i := range rows {
		rows[i] = int32(i)
	}
	return rows
}

// temperatures gives each position the factor of its query.
func temperatures(t arch.Temperature, positions []int32) []float32 {
	factors := make([]float32, len(positions))
	for i, p := range positions {
		factors[i] = float32(1 + t.Beta*math.Log(1+math.Floor((float64(p)+t.Shift)/t.Length)))
	}
	return factors
}
