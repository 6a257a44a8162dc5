package arch

// StarCoder 2 (arXiv 2402.19173): layer norms, biases everywhere, no gate, a sliding window on all layers.
func init() {
	Register(Family{ModelTypes: []string{"starcoder2"}, Build: func(b *Builder) *Spec {
		biased := b.BoolOr("use_bias", true)
		return b.decoder(decoder{eps: 1e-5, epsKey: "norm_epsilon", kvHeads: 2, tied: true, plain: true, act: "gelu_pytorch_tanh",
			attentionB: biased, outputB: biased, mlpB: biased, norm: layerNorm,
			names: [4]string{"", "", "mlp.c_fc", "mlp.c_proj"}}).window(b.windowOr(0))
	}})
}
