package arch

import (
	"avssnative/engine/device"
)

// GPT-BigCode (arXiv 2301.03988): GPT-2 with matrices stored [out × in] and one key-value head for all queries.
func init() {
	Register(Family{ModelTypes: []string{"gpt_bigcode"}, Build: buildGPTBigCode})
}

func buildGPTBigCode(b *Builder) *Spec {
	b.Prefix("wte.weight", "transformer.", "")
	hidden, heads := b.Int("n_embd|hidden_size"), b.Int("n_head|num_attention_heads")
	inner, headDim := b.IntOr("n_inner", 4*hidden), hidden/heads
	eps := b.Eps("layer_norm_epsilon", 1e-5)
	act := b.Activation("activation_function", "gelu_pytorch_tanh")
	kvHeads := heads
	if b.BoolOr("multi_query", true) {
		kvHeads = 1
	}
	s := &Spec{Hidden: hidden, Vocab: b.Int("vocab_size"), Context: b.Context("n_positions|max_position_embeddings", 1024),
		BlockPrefix: b.prefix + "h.%d."}
	s.Embed.Table = b.Matrix("wte.weight", s.Vocab, hidden)
	s.Embed.Positions = b.Matrix("wpe.weight", s.Context, hidden)
	for i := range b.Int("n_layer|num_hidden_layers") {
		l := b.Layer("h", i)
		attention := Causal(heads, kvHeads, headDim)
		if !b.BoolOr("scale_attn_weights", true) {
			attention.Scale = 1
		}
		a := &AttentionSpec{O: l.Linear("attn.c_proj", hidden, hidden, true), Attention: attention}
		qkv := l.Linear("attn.c_attn", hidden+2*kvHeads*headDim, hidden, true)
		if kvHeads == 1 {
			a.Q, a.K, a.V = qkv.Part(device.Segment{At: 0, Count: hidden}), qkv.Part(device.Segment{At: hidden, Count: headDim}), qkv.Part(device.Segment{At: hidden + headDim, Count: headDim})
		} else {
			a.Q = qkv.Part(Heads(heads, 3*headDim, 0, headDim)...)
			a.K = qkv.Part(Heads(heads, 3*headDim, headDim, headDim)...)
			a.V = qkv.Part(Heads(heads, 3*headDim, 2*headDim, headDim)...)
		}
		s.Blocks = append(s.Blocks, BlockSpec{
			Norm1: l.LayerNorm("ln_1", hidden, eps, true),
			Norm2: l.LayerNorm("ln_2", hidden, eps, true),
			Mixer: a,
			MLP:   &GatedSpec{Up: l.Linear("mlp.c_fc", inner, hidden, true), Down: l.Linear("mlp.c_proj", hidden, inner, true), Activation: act},
		})
	}
	s.Final = b.LayerNorm("ln_f", hidden, eps, true)
	s.Head.Output = b.Output("lm_head", s.Vocab, hidden, b.BoolOr("tie_word_embeddings", true), s.Embed.Table)
	return s
}
