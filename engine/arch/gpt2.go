package arch

import (
	"errors"

	"avssnative/engine/device"
)

// GPT-2 (Radford et al. 2019): layer norms, learned positions, matrices stored [in × out], one fused projection for queries, keys, values.
func init() {
	Register(Family{ModelTypes: []string{"gpt2"}, Build: buildGPT2, Drop: func(config map[string]any, layers int, kept []int) error {
		if AsConfig(config).BoolOr("scale_attn_by_inverse_layer_idx", false) && kept[len(kept)-1] != len(kept)-1 {
			return errors.New("config.json: scale_attn_by_inverse_layer_idx: divides by a layer's place, which cannot be said of layers that move; only the last layers can be left out")
		}
		return nil
	}})
}

func buildGPT2(b *Builder) *Spec {
	b.Prefix("wte.weight", "transformer.", "")
	hidden, heads := b.Int("n_embd|hidden_size"), b.Int("n_head|num_attention_heads")
	inner := b.IntOr("n_inner|intermediate_size", 4*hidden)
	eps := b.Eps("layer_norm_epsilon", 1e-5)
	act := b.Activation("activation_function", "gelu_new")
	s := &Spec{Hidden: hidden, Vocab: b.Int("vocab_size"), Context: b.Context("n_positions|max_position_embeddings", 1024),
		BlockPrefix: b.prefix + "h.%d."}
	s.Embed.Table = b.Matrix("wte.weight", s.Vocab, hidden)
	s.Embed.Positions = b.Matrix("wpe.weight", s.Context, hidden)
	for i := range b.Int("n_layer|num_hidden_layers") {
		l := b.Layer("h", i)
		qkv := l.Conv1D("attn.c_attn", 3*hidden, hidden)
		attention := Causal(heads, heads, hidden/heads)
		if !b.BoolOr("scale_attn_weights", true) {
			attention.Scale = 1
		}
		if b.BoolOr("scale_attn_by_inverse_layer_idx", false) {
			attention.Scale /= float32(i + 1)
		}
		s.Blocks = append(s.Blocks, BlockSpec{
			Norm1: l.LayerNorm("ln_1", hidden, eps, true),
			Norm2: l.LayerNorm("ln_2", hidden, eps, true),
			Mixer: &AttentionSpec{
				Q:         qkv.Part(device.Segment{At: 0, Count: hidden}),
				K:         qkv.Part(device.Segment{At: hidden, Count: hidden}),
				V:         qkv.Part(device.Segment{At: 2 * hidden, Count: hidden}),
				O:         l.Conv1D("attn.c_proj", hidden, hidden),
				Attention: attention,
			},
			MLP: &GatedSpec{Up: l.Conv1D("mlp.c_fc", inner, hidden), Down: l.Conv1D("mlp.c_proj", hidden, inner), Activation: act},
		})
	}
	s.Final = b.LayerNorm("ln_f", hidden, eps, true)
	s.Head.Output = b.Output("lm_head", s.Vocab, hidden, b.BoolOr("tie_word_embeddings", true), s.Embed.Table)
	return s
}
