package arch

import (
	"avssnative/engine/device"
)

// StableLM-Base-Alpha v2 (Stability AI 2023, the decoder of arXiv 2411.02117): one layer norm for attention and MLP side by side, a
// projection of queries, keys and values that is grouped by head, a quarter of every head rotated, and a SwiGLU of a width that follows from
// the hidden one, whose second half is the gate.
func init() {
	Register(Family{ModelTypes: []string{"stablelm_alpha"}, Build: buildStableLMAlpha})
}

func buildStableLMAlpha(b *Builder) *Spec {
	b.Prefix("embed.weight", "transformer.", "")
	hidden, heads := b.Int("hidden_size"), b.Int("num_heads|num_attention_heads")
	headDim, eps := hidden/heads, b.Eps("norm_eps|layer_norm_eps", 1e-8)
	const multiple = 256
	inner := multiple * ((8*hidden/3 + multiple - 1) / multiple)
	act := b.Activation("hidden_act", "silu")
	rope := b.Rope(headDim, 10000, 0.25, "")
	s := &Spec{Hidden: hidden, Vocab: b.Int("vocab_size"), Context: b.Context("max_position_embeddings", 4096), BlockPrefix: b.prefix + "layers.%d."}
	s.Embed.Table = b.Matrix("embed.weight", s.Vocab, hidden)
	for i := range b.Int("num_hidden_layers") {
		l := b.Layer("layers", i)
		qkv := l.Linear("attention.qkv_proj", 3*hidden, hidden, false)
		both := l.Linear("mlp.gate_proj", 2*inner, hidden, false)
		s.Blocks = append(s.Blocks, BlockSpec{
			Norm1:    l.LayerNorm("norm", hidden, eps, true),
			Parallel: true, SharedNorm: true,
			Mixer: &AttentionSpec{
				Q:         qkv.Part(Heads(heads, 3*headDim, 0, headDim)...),
				K:         qkv.Part(Heads(heads, 3*headDim, headDim, headDim)...),
				V:         qkv.Part(Heads(heads, 3*headDim, 2*headDim, headDim)...),
				O:         l.Linear("attention.out_proj", hidden, hidden, false),
				Attention: Causal(heads, heads, headDim),
				Rope:      rope,
			},
			MLP: &GatedSpec{Up: both.Part(device.Segment{At: 0, Count: inner}), Gate: both.Part(device.Segment{At: inner, Count: inner}), Down: l.Linear("mlp.out_proj", hidden, inner, false), Activation: act},
		})
	}
	s.Final = b.LayerNorm("final_norm", hidden, eps, true)
	s.Head.Output = b.Output("lm_head", s.Vocab, hidden, b.BoolOr("tie_word_embeddings", false), s.Embed.Table)
	return s
}
