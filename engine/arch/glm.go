package arch

// GLM-4 of 2024 ("glm", arXiv 2406.12793): Llama's block, half of every head rotated in neighbouring pairs, gate and up in one matrix.
// GLM-4 of 2025 ("glm4") norms what attention and MLP give as well.
func init() {
	Register(Family{ModelTypes: []string{"glm"}, Build: (*Builder).glm})
	Register(Family{ModelTypes: []string{"glm4"}, Build: func(b *Builder) *Spec {
		s := b.glm()
		eps := b.Eps("rms_norm_eps", 1.5625e-7)
		for i := range s.Blocks {
			l := b.Layer("layers", i)
			s.Blocks[i].Post1 = l.RMS("post_self_attn_layernorm", s.Hidden, eps)
			s.Blocks[i].Post2 = l.RMS("post_mlp_layernorm", s.Hidden, eps)
		}
		return s
	}})
}

func (b *Builder) glm() *Spec {
	s := b.decoder(decoder{eps: 1.5625e-7, kvHeads: 2, headDim: 128, share: 0.5, neighbours: true, attentionB: b.BoolOr("attention_bias", true)})
	for i := range s.Blocks {
		b.Layer("layers", i).fuseGate(s.Blocks[i].MLP.(*GatedSpec))
	}
	return s
}
