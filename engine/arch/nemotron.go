package arch

// Nemotron (arXiv 2402.16819): layer norms that multiply by one plus their weight, squared ReLU without a gate, half of every head rotated.
func init() {
	Register(Family{ModelTypes: []string{"nemotron"}, Build: func(b *Builder) *Spec {
		biased := b.BoolOr("attention_bias", false)
		return b.decoder(decoder{eps: 1e-5, epsKey: "norm_eps", share: 0.5, plain: true, act: "relu2",
			attentionB: biased, outputB: biased, mlpB: b.BoolOr("mlp_bias", false),
			norm: func(l *Builder, name string, n int, eps float64) NormSpec {
				s := l.LayerNorm(name, n, eps, true)
				s.Offset = 1
				return s
			}})
	}})
}
