package arch

import (
	"avssnative/engine/device"
)

// BERT (arXiv 1810.04805) and DistilBERT (arXiv 1910.01108) with a classification head: encoders, every token sees every other, norms
// follow the sums; the first token's row is what the head sees.
func init() {
	Register(Family{ModelTypes: []string{"bert"}, Build: buildBERT})
	Register(Family{ModelTypes: []string{"distilbert"}, Build: buildDistilBERT})
}

func buildBERT(b *Builder) *Spec {
	b.Prefix("embeddings.word_embeddings.weight", "bert.", "")
	if b.BoolOr("is_decoder", false) || b.BoolOr("add_cross_attention", false) {
		b.Fail("is_decoder, add_cross_attention: want false: only classifiers are known here")
	}
	b.Choose("position_embedding_type", b.StringOr("position_embedding_type", "absolute"), "absolute")
	hidden, heads, inner := b.Int("hidden_size"), b.Int("num_attention_heads"), b.Int("intermediate_size")
	eps, act := b.Eps("layer_norm_eps", 1e-12), b.Activation("hidden_act", "gelu")
	s := &Spec{Hidden: hidden, Vocab: b.Int("vocab_size"), Context: b.Context("max_position_embeddings", 512),
		BlockPrefix: b.prefix + "encoder.layer.%d."}
	s.Embed = EmbedSpec{
		Table:      b.Matrix("embeddings.word_embeddings.weight", s.Vocab, hidden),
		Positions:  b.Matrix("embeddings.position_embeddings.weight", s.Context, hidden),
		TokenTypes: b.Matrix("embeddings.token_type_embeddings.weight", b.IntOr("type_vocab_size", 2), hidden),
		Norm:       b.bertNorm("embeddings.LayerNorm", hidden, eps),
	}
	for i := range b.Int("num_hidden_layers") {
		l := b.Layer("encoder.layer", i)
		s.Blocks = append(s.Blocks, BlockSpec{
			PostNorm: true,
			Norm1:    l.bertNorm("attention.output.LayerNorm", hidden, eps),
			Norm2:    l.bertNorm("output.LayerNorm", hidden, eps),
			Mixer: &AttentionSpec{
				Q:         l.Linear("attention.self.query", hidden, hidden, true),
				K:         l.Linear("attention.self.key", hidden, hidden, true),
				V:         l.Linear("attention.self.value", hidden, hidden, true),
				O:         l.Linear("attention.output.dense", hidden, hidden, true),
				Attention: everywhere(heads, hidden/heads),
			},
			MLP: &GatedSpec{Up: l.Linear("intermediate.dense", inner, hidden, true), Down: l.Linear("output.dense", hidden, inner, true), Activation: act},
		})
	}
	s.Head.Classify = &ClassifySpec{Dense: b.Linear("pooler.dense", hidden, hidden, true), Activation: device.Activation{Kind: device.Tanh}}
	s.Head.Output = b.classifier(hidden)
	return s
}

func buildDistilBERT(b *Builder) *Spec {
	b.Prefix("embeddings.word_embeddings.weight", "distilbert.", "")
	const eps = 1e-12
	hidden, heads, inner := b.Int("dim|hidden_size"), b.Int("n_heads|num_attention_heads"), b.IntOr("hidden_dim", 3072)
	act := b.Activation("activation", "gelu")
	s := &Spec{Hidden: hidden, Vocab: b.Int("vocab_size"), Context: b.Context("max_position_embeddings", 512),
		BlockPrefix: b.prefix + "transformer.layer.%d."}
	s.Embed = EmbedSpec{
		Table:     b.Matrix("embeddings.word_embeddings.weight", s.Vocab, hidden),
		Positions: b.Matrix("embeddings.position_embeddings.weight", s.Context, hidden),
		Norm:      b.bertNorm("embeddings.LayerNorm", hidden, eps),
	}
	for i := range b.Int("n_layers|num_hidden_layers") {
		l := b.Layer("transformer.layer", i)
		s.Blocks = append(s.Blocks, BlockSpec{
			PostNorm: true,
			Norm1:    l.bertNorm("sa_layer_norm", hidden, eps),
			Norm2:    l.bertNorm("output_layer_norm", hidden, eps),
			Mixer: &AttentionSpec{
				Q:         l.Linear("attention.q_lin", hidden, hidden, true),
				K:         l.Linear("attention.k_lin", hidden, hidden, true),
				V:         l.Linear("attention.v_lin", hidden, hidden, true),
				O:         l.Linear("attention.out_lin", hidden, hidden, true),
				Attention: everywhere(heads, hidden/heads),
			},
			MLP: &GatedSpec{Up: l.Linear("ffn.lin1", inner, hidden, true), Down: l.Linear("ffn.lin2", hidden, inner, true), Activation: act},
		})
	}
	s.Head.Classify = &ClassifySpec{Dense: Linear{
		Weight: Ref{Name: "pre_classifier.weight", Shape: []int{hidden, hidden}, Out: hidden, In: hidden},
		Bias:   Ref{Name: "pre_classifier.bias", Shape: []int{hidden}, Out: hidden},
	}, Activation: device.Activation{Kind: device.ReLU}}
	s.Head.Output = b.classifier(hidden)
	return s
}

// everywhere is attention without a mask.
func everywhere(heads, headDim int) device.Attention {
	a := Causal(heads, heads, headDim)
	a.Causal = false
	return a
}

// bertNorm is a layer norm; the oldest files call its weight gamma and its bias beta.
func (b *Builder) bertNorm(name string, n int, eps float64) NormSpec {
	s := b.LayerNorm(name, n, eps, true)
	if b.Stored(name + ".gamma") {
		s.Weight.Name, s.Bias.Name = b.prefix+name+".gamma", b.prefix+name+".beta"
	}
	return s
}

// classifier is the matrix of labels, whose number the configuration gives as a number or as a table of names, 2 where it gives neither.
func (b *Builder) classifier(hidden int) Linear {
	labels := 2
	if names := b.Section("id2label"); len(names.values) > 0 {
		labels = len(names.values)
	}
	labels = b.IntOr("num_labels", labels)
	return Linear{
		Weight: Ref{Name: "classifier.weight", Shape: []int{labels, hidden}, Out: labels, In: hidden},
		Bias:   Ref{Name: "classifier.bias", Shape: []int{labels}, Out: labels},
	}
}
