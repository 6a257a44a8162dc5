package arch

// Hunyuan dense (Tencent 2025): Llama's block with norms on every head's queries and keys after their rotation.
func init() {
	Register(Family{ModelTypes: []string{"hunyuan_v1_dense"}, Build: func(b *Builder) *Spec {
		biased := b.BoolOr("attention_bias", false)
		s := b.decoder(decoder{eps: 1e-5, attentionB: biased, outputB: biased})
		s.headNorms(b, "self_attn.query_layernorm", "self_attn.key_layernorm", b.Eps("rms_norm_eps", 1e-5), 0)
		for i := range s.Blocks {
			s.attention(i).NormAfterRope = true
		}
		return s
	}})
}
