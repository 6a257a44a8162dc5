package arch

// ConvolutionSpec is LFM2's mixer (Liquid AI 2025): a short convolution along the sequence between two gates, out(C ⊙ conv(B ⊙ x)).
type ConvolutionSpec struct {
	B, C, X, O   Linear
	Kernel, Bias Ref // [hidden × width], [hidden]
}

func (s *ConvolutionSpec) Refs(visit func(*Ref)) {
	for _, l := range []*Linear{&s.B, &s.C, &s.X, &s.O} {
		l.Refs(visit)
	}
	visit(&s.Kernel)
	visit(&s.Bias)
}
