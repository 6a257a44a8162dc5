package engine

// ConvolutionSpec is LFM2's mixer (Liquid AI 2025): a short convolution along the sequence between two gates, out(C ⊙ conv(B ⊙ x)).
type ConvolutionSpec struct {
	B, C, X, O   Linear
	Kernel, Bias Ref // [hidden × width], [hidden]
}

func (s *ConvolutionSpec) refs(visit func(*Ref)) {
	for _, l := range []*Linear{&s.B, &s.C, &s.X, &s.O} {
		l.refs(visit)
	}
	visit(&s.Kernel)
	visit(&s.Bias)
}

func (s *ConvolutionSpec) mix(f *forward, x Tensor) Tensor {
	in, b := f.linear(x, &s.X), f.linear(x, &s.B)
	f.device.Activate(b, b, in, Activation{Kind: Identity})
	f.device.Convolve(in, b, f.weights.vector(&s.Kernel), f.weights.vector(&s.Bias), f.layout)
	f.give(b)
	c := f.linear(x, &s.C)
	f.device.Activate(c, c, in, Activation{Kind: Identity})
	f.give(in)
	out := f.summed(c, &s.O)
	f.give(c)
	return out
}
