package arch

// Llama (arXiv 2302.13971) and the families that differ from it in a line: RMS norms before attention and a SiLU-gated MLP, rotary
// positions over half-split pairs, grouped key-value heads.
func init() {
	Register(Family{ModelTypes: []string{"llama"}, Build: func(b *Builder) *Spec {
		return b.decoder(decoder{
			attentionB: b.BoolOr("attention_bias", false),
			outputB:    b.BoolOr("attention_bias", false),
			mlpB:       b.BoolOr("mlp_bias", false),
		})
	}})
	// Mistral (arXiv 2310.06825): a sliding window on all layers.
	Register(Family{ModelTypes: []string{"mistral"}, Build: func(b *Builder) *Spec {
		return b.decoder(decoder{kvHeads: 8}).window(b.windowOr(4096))
	}})
	// Arcee (arcee.ai, AFM-4.5B): no gate, squared ReLU.
	Register(Family{ModelTypes: []string{"arcee"}, Build: func(b *Builder) *Spec {
		return b.decoder(decoder{
			eps: 1e-5, plain: true, act: "relu2",
			attentionB: b.BoolOr("attention_bias", false),
			outputB:    b.BoolOr("attention_bias", false),
			mlpB:       b.BoolOr("mlp_bias", false),
		})
	}})
	// Seed-OSS (ByteDance): biases on queries, keys and values.
	Register(Family{ModelTypes: []string{"seed_oss"}, Build: func(b *Builder) *Spec {
		return b.decoder(decoder{
			kvHeads: 8, headDim: 128,
			attentionB: b.BoolOr("attention_bias", true),
			outputB:    b.BoolOr("attention_out_bias", false),
			mlpB:       b.BoolOr("mlp_bias", false),
		})
	}})
	// Ernie 4.5 (Baidu): rotary pairs are neighbours.
	Register(Family{ModelTypes: []string{"ernie4_5"}, Build: func(b *Builder) *Spec {
		biased := b.BoolOr("use_bias", false)
		return b.decoder(decoder{
			eps: 1e-5, theta: 500000, kvHeads: 2, headDim: 128, neighbours: true, tied: true,
			attentionB: biased, outputB: biased, mlpB: biased,
		})
	}})
	// Helium (Kyutai): rotary pairs are neighbours.
	Register(Family{ModelTypes: []string{"helium"}, Build: func(b *Builder) *Spec {
		return b.decoder(decoder{
			eps: 1e-8, theta: 100000, kvHeads: 20, headDim: 128, neighbours: true,
			attentionB: b.BoolOr("attention_bias", false),
			mlpB:       b.BoolOr("mlp_bias", false),
		})
	}})
	// Granite (arXiv 2408.13359's muP multipliers on embedding, attention, residuals and logits).
	Register(Family{ModelTypes: []string{"granite"}, Build: func(b *Builder) *Spec {
		return b.graniteMultipliers(b.decoder(decoder{
			attentionB: b.BoolOr("attention_bias", false),
			outputB:    b.BoolOr("attention_bias", false),
			mlpB:       b.BoolOr("mlp_bias", false),
		}))
	}})
}

// graniteMultipliers scales embedding, attention scores, branches and logits by what the configuration says.
func (b *Builder) graniteMultipliers(s *Spec) *Spec {
	s.Embed.Scale = b.multiplier("embedding_multiplier")
	s.Head.Scale = 1 / b.multiplier("logits_scaling")
	for i := range s.Blocks {
		s.Blocks[i].Residual = b.multiplier("residual_multiplier")
		s.attention(i).Scale = b.multiplier("attention_multiplier")
	}
	return s
}

// multiplier reads a factor that is 1 where absent and must not be zero, which a Spec takes for one.
func (b *Builder) multiplier(key string) float32 {
	x := b.FloatOr(key, 1)
	if x == 0 {
		b.Fail("%s: 0 leaves nothing", key)
		return 1
	}
	return float32(x)
}

// decoder holds the facts that tell the Llama-shaped families apart. The zero value of a field is Llama's.
type decoder struct {
	eps, theta                float64 // the family's defaults; 0: 1e-6 and 10000
	epsKey                    string  // "": rms_norm_eps
	kvHeads                   int     // key-value heads where the configuration has none; 0: as many as heads
	headDim                   int     // columns of a head where the configuration has none; 0: hidden/heads
	share                     float64 // of a head's columns that rotate; 0: all
	neighbours                bool    // rotary pairs are neighbouring columns
	attentionB, outputB, mlpB bool    // biases of queries, keys, values; of the attention's output; of the MLP
	act, actKey               string  // "": silu, hidden_act
	plain                     bool    // no gate
	tied                      bool    // the vocabulary's matrix is the embedding table unless said otherwise
	headB                     bool    // the vocabulary's matrix has a bias
	norm                      func(l *Builder, name string, n int, eps float64) NormSpec
	norms                     [2]string // names of the norms before attention and MLP; "-": there is none
	final                     string    // name of the last norm
	names                     [4]string // of the attention's output and the MLP's gate, up and down
	noRope                    bool      // the family's file sets its own positions
}

// rms is Builder.RMS as decoder.norm takes it.
func rms(l *Builder, name string, n int, eps float64) NormSpec { return l.RMS(name, n, eps) }

// layerNorm is a layer norm with weight and bias.
func layerNorm(l *Builder, name string, n int, eps float64) NormSpec {
	return l.LayerNorm(name, n, eps, true)
}

// complete fills in Llama's facts where the family says nothing.
func (o decoder) complete() decoder {
	fill := func(s *string, otherwise string) {
		if *s == "" {
			*s = otherwise
		}
	}
	fillF := func(x *float64, otherwise float64) {
		if *x == 0 {
			*x = otherwise
		}
	}
	fillF(&o.eps, 1e-6)
	fillF(&o.theta, 10000)
	fillF(&o.share, 1)
	fill(&o.epsKey, "rms_norm_eps")
	fill(&o.act, "silu")
	fill(&o.actKey, "hidden_act")
	fill(&o.norms[0], "input_layernorm")
	fill(&o.norms[1], "post_attention_layernorm")
	fill(&o.final, "norm")
	for i, name := range [...]string{"self_attn.o_proj", "mlp.gate_proj", "mlp.up_proj", "mlp.down_proj"} {
		fill(&o.names[i], name)
	}
	if o.norm == nil {
		o.norm = rms
	}
	return o
}

// shape is a decoder's sizes.
type shape struct{ hidden, heads, kvHeads, headDim, inner, layers int }

// shape reads the sizes, with the family's defaults where the configuration leaves them out.
func (b *Builder) shape(o decoder) shape {
	s := shape{hidden: b.Int("hidden_size"), heads: b.Int("num_attention_heads"), layers: b.Int("num_hidden_layers")}
	s.kvHeads = b.absentOr("num_key_value_heads", o.kvHeads, s.heads)
	s.headDim = b.absentOr("head_dim", o.headDim, s.hidden/s.heads)
	s.inner = b.Int("intermediate_size")
	if s.kvHeads < 1 || s.headDim < 1 || s.heads%s.kvHeads != 0 {
		b.Fail("num_attention_heads %d, num_key_value_heads %d, head_dim %d: want whole groups of heads", s.heads, s.kvHeads, s.headDim)
		s.kvHeads, s.headDim = 1, 1
	}
	return s
}

// absentOr reads a whole number; where the key is absent it is the family's default, where null (or the family has none) what follows from
// other sizes.
func (b *Builder) absentOr(key string, family, derived int) int {
	if _, there := b.values[key]; !there && family > 0 {
		return family
	}
	return b.IntOr(key, derived)
}

// decoder builds the Spec from the configuration keys and tensor names that all these families share.
func (b *Builder) decoder(o decoder) *Spec {
	o = o.complete()
	b.Prefix("embed_tokens.weight", "model.", "")
	n := b.shape(o)
	eps := b.Eps(o.epsKey, o.eps)
	act := b.Activation(o.actKey, o.act)
	var rope *Rotary
	if !o.noRope {
		rope = b.Rope(n.headDim, o.theta, o.share, "")
		rope.Interleaved = o.neighbours
	}
	s := &Spec{Hidden: n.hidden, Vocab: b.Int("vocab_size"), Context: b.context(), BlockPrefix: b.prefix + "layers.%d."}
	s.Embed.Table = b.Matrix("embed_tokens.weight", s.Vocab, n.hidden)
	norm := func(l *Builder, name string) NormSpec {
		if name == "-" {
			return NormSpec{}
		}
		return o.norm(l, name, n.hidden, eps)
	}
	for i := range n.layers {
		l := b.Layer("layers", i)
		mlp := &GatedSpec{
			Up:         l.Linear(o.names[2], n.inner, n.hidden, o.mlpB),
			Down:       l.Linear(o.names[3], n.hidden, n.inner, o.mlpB),
			Activation: act,
		}
		if !o.plain {
			mlp.Gate = l.Linear(o.names[1], n.inner, n.hidden, o.mlpB)
		}
		s.Blocks = append(s.Blocks, BlockSpec{
			Norm1: norm(l, o.norms[0]),
			Norm2: norm(l, o.norms[1]),
			Mixer: &AttentionSpec{
				Q:         l.Linear("self_attn.q_proj", n.heads*n.headDim, n.hidden, o.attentionB),
				K:         l.Linear("self_attn.k_proj", n.kvHeads*n.headDim, n.hidden, o.attentionB),
				V:         l.Linear("self_attn.v_proj", n.kvHeads*n.headDim, n.hidden, o.attentionB),
				O:         l.Linear(o.names[0], n.hidden, n.heads*n.headDim, o.outputB),
				Attention: Causal(n.heads, n.kvHeads, n.headDim),
				Rope:      rope,
			},
			MLP: mlp,
		})
	}
	s.Final = norm(b, o.final)
	s.Head.Output = b.Output("lm_head", s.Vocab, n.hidden, b.BoolOr("tie_word_embeddings", o.tied), s.Embed.Table)
	if o.headB {
		s.Head.Output.Bias = Ref{Name: "lm_head.bias", Shape: []int{s.Vocab}, Out: s.Vocab}
	}
	return s
}

// context is the longest sequence the model was made for. Dynamic positions are made for sequences longer than the configuration's.
func (b *Builder) context() int {
	longest := b.longest()
	for _, key := range []string{"rope_scaling", "rope_parameters"} {
		if c := b.Section(key); c.StringOr("rope_type|type", "") == "dynamic" {
			return int(float64(longest) * max(1, c.FloatOr("factor", 1)))
		}
	}
	return longest
}

// attention is the attention of a block whose mixer is known to be one.
func (s *Spec) attention(layer int) *AttentionSpec { return s.Blocks[layer].Mixer.(*AttentionSpec) }

// headNorms puts an RMS norm with one weight for all heads on queries and keys (arXiv 2010.04245 in the form of Qwen 3).
func (s *Spec) headNorms(b *Builder, q, k string, eps float64, offset float32) *Spec {
	for i := range s.Blocks {
		a, ok := s.Blocks[i].Mixer.(*AttentionSpec)
		if !ok {
			continue
		}
		l := b.Layer("layers", i)
		a.QNorm, a.KNorm = l.RMS(q, a.HeadDim, eps), l.RMS(k, a.HeadDim, eps)
		a.QNorm.Groups, a.KNorm.Groups = a.Heads, a.KVHeads
		a.QNorm.Offset, a.KNorm.Offset = offset, offset
	}
	return s
}

// window gives all attention layers a sliding window; 0: none.
func (s *Spec) window(tokens int) *Spec {
	for i := range s.Blocks {
		if a, ok := s.Blocks[i].Mixer.(*AttentionSpec); ok {
			a.Window = tokens
		}
	}
	return s
}

// windowOr is the sliding window: the family's where the key is absent, none where it is null.
func (b *Builder) windowOr(family int) int {
	w := b.absentOr("sliding_window", family, 0)
	if w < 0 {
		b.Fail("sliding_window: %d, want at least 1", w)
	}
	return w
}
