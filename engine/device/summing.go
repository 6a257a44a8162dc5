package device

// Summing is what a Device may do beyond Device: take the sums of a product's results while it computes them. Measure then need not read them
// again, where Measure.SkipRelativeBelow says that nothing is wanted which takes the whole row of the block's output first.
type Summing interface {
	// ProductSummed is Product for a dst that a Measure with these thresholds will be asked for as Attn or MLP. Whatever changes dst
	// before that makes Measure read it after all.
	ProductSummed(dst, x Tensor, w Matrix, bias Tensor, eps []float32)
}
