package device

// FewRows is what a Device may do beyond Device: the operations in which a step of generation spends its time, made for few rows that meet all of
// a weight or all that is cached. They mean what Product and Attention mean and keep the rules of Device, each by an order of sums of its own: a
// row's bits do not depend on what stands beside it, and need not be those of Product and Attention. So who asks decides, never the number of
// rows; more than a few are right and slow. Operands have the precision of the device's Compute, as those of Product do.
type FewRows interface {
	ProductFew(dst, x Tensor, w Matrix, bias Tensor)
	AttentionFew(dst, q, k, v Tensor, a Attention, l *Layout)
}
