package arch

import (
	"avssnative/engine/device"
)

// GPT-J (Wang 2021): attention and MLP side by side on one norm, rotary positions over neighbouring pairs of a part of each head, a head
// with a bias. CodeGen (arXiv 2203.13474) is the same with queries, values and keys in one matrix, split four ways first as it was trained.
func init() {
	Register(Family{ModelTypes: []string{"gptj"}, Build: func(b *Builder) *Spec {
		return b.gptj(func(l *Builder, a *AttentionSpec, hidden int) {
			a.Q = l.Linear("attn.q_proj", hidden, hidden, false)
			a.K = l.Linear("attn.k_proj", hidden, hidden, false)
			a.V = l.Linear("attn.v_proj", hidden, hidden, false)
		})
	}})
	Register(Family{ModelTypes: []string{"codegen"}, Build: func(b *Builder) *Spec {
		return b.gptj(func(l *Builder, a *AttentionSpec, hidden int) {
			const ways = 4
			if a.Heads%ways != 0 {
				l.Fail("n_head: %d, want a multiple of %d", a.Heads, ways)
			}
			qvk, part := l.Linear("attn.qkv_proj", 3*hidden, hidden, false), hidden/ways
			a.Q = qvk.Part(Heads(ways, 3*part, 0, part)...)
			a.V = qvk.Part(Heads(ways, 3*part, part, part)...)
			a.K = qvk.Part(Heads(ways, 3*part, 2*part, part)...)
		})
	}})
}

func (b *Builder) gptj(qkv func(l *Builder, a *AttentionSpec, hidden int)) *Spec {
	b.Prefix("wte.weight", "transformer.", "")
	hidden, heads := b.Int("n_embd|hidden_size"), b.Int("n_head|num_attention_heads")
	inner := b.IntOr("n_inner", 4*hidden)
	eps := b.Eps("layer_norm_epsilon", 1e-5)
	act := b.Activation("activation_function", "gelu_new")
	headDim := hidden / heads
	// A null rotary_dim turns whole heads by the frequencies of the whole width.
	rotated, width := b.absentOr("rotary_dim", 64, headDim), 0
	if width = rotated; rotated == headDim && !b.Has("rotary_dim") {
		width = hidden
	}
	if rotated < 2 || rotated > headDim {
		b.Fail("rotary_dim: %d, a head has %d columns", rotated, headDim)
		rotated, width = 2, 2
	}
	rope := &Rotary{Rope: device.Rope{HeadDim: headDim, Interleaved: true, Scale: 1, Frequencies: powers(10000, width/2)[:rotated/2]}}
	s := &Spec{Hidden: hidden, Vocab: b.Int("vocab_size"), Context: b.Context("n_positions|max_position_embeddings", 2048),
		BlockPrefix: b.prefix + "h.%d."}
	s.Embed.Table = b.Matrix("wte.weight", s.Vocab, hidden)
	for i := range b.Int("n_layer|num_hidden_layers") {
		l := b.Layer("h", i)
		a := &AttentionSpec{O: l.Linear("attn.out_proj", hidden, hidden, false), Attention: Causal(heads, heads, headDim), Rope: rope}
		qkv(l, a, hidden)
		s.Blocks = append(s.Blocks, BlockSpec{
			Norm1:    l.LayerNorm("ln_1", hidden, eps, true),
			Parallel: true, SharedNorm: true,
			Mixer: a,
			MLP:   &GatedSpec{Up: l.Linear("mlp.fc_in", inner, hidden, true), Down: l.Linear("mlp.fc_out", hidden, inner, true), Activation: act},
		})
	}
	s.Final = b.LayerNorm("ln_f", hidden, eps, true)
	s.Head.Output = b.Output("lm_head", s.Vocab, hidden, b.BoolOr("tie_word_embeddings", false), s.Embed.Table)
	s.Head.Output.Bias = Ref{Name: "lm_head.bias", Shape: []int{s.Vocab}, Out: s.Vocab}
	return s
}
