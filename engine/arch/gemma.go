package arch

import (
	"math"

	"avssnative/engine/device"
)

// Gemma (arXiv 2403.08295): embeddings scaled by √hidden, norms that multiply by one plus their weight, a tanh-GELU gate.
// Gemma 2 (arXiv 2408.00118) norms what attention and MLP give as well, caps logits softly and lets every other layer slide.
// Gemma 3 (arXiv 2503.19786) norms queries and keys, has five sliding layers for a full one, and a rotary base for each of the two kinds.
func init() {
	Register(Family{ModelTypes: []string{"gemma"}, Build: func(b *Builder) *Spec {
		s := b.gemma("hidden_act", 16)
		for i := range s.Blocks {
			// Published configurations say "gelu" and mean its tanh form.
			if act := &s.Blocks[i].MLP.(*GatedSpec).Activation; act.Kind == device.GELU {
				act.Kind = device.GELUTanh
			}
		}
		return s
	}})
	Register(Family{ModelTypes: []string{"gemma2"}, Drop: dropRule(everyNth(2)), Build: func(b *Builder) *Spec {
		s := b.gemma2Like()
		s.Head.SoftCap = b.softCap("final_logit_softcapping", 30)
		for i := range s.Blocks {
			s.attention(i).SoftCap = b.softCap("attn_logit_softcapping", 50)
		}
		return s.slide(b.layerKinds(len(s.Blocks), everyNth(2), fullAttention, slidingAttention), b.windowOr(4096))
	}})
	Register(Family{ModelTypes: []string{"gemma3_text"}, Drop: dropGemma3, Build: buildGemma3})
}

func buildGemma3(b *Builder) *Spec {
	s := b.gemma2Like()
	s.Head.SoftCap = b.softCap("final_logit_softcapping", 0)
	s.headNorms(b, "self_attn.q_norm", "self_attn.k_norm", b.Eps("rms_norm_eps", 1e-6), 1)
	kinds := b.layerKinds(len(s.Blocks), everyNth(b.IntOr("sliding_window_pattern", 6)), fullAttention, slidingAttention)
	ropes := b.ropeTable(s.attention(0).HeadDim, 1000000, b.FloatOr("rope_local_base_freq", 10000))
	for i := range s.Blocks {
		s.attention(i).Rope = ropes[kinds[i]]
		s.attention(i).SoftCap = b.softCap("attn_logit_softcapping", 0)
	}
	return s.slide(kinds, b.windowOr(4096))
}

// ropeTable reads the rotary positions of full and sliding layers. In older configurations rope_theta and rope_scaling speak of full layers
// alone; the sliding ones rotate by the base local.
func (b *Builder) ropeTable(headDim int, theta, local float64) map[string]*Rotary {
	table := b.Section("rope_parameters")
	full, sliding := table.Section(fullAttention), table.Section(slidingAttention)
	if scaling := b.Section("rope_scaling"); len(scaling.values) > 0 {
		full = scaling
	}
	theta = b.FloatOr("rope_theta", theta)
	own := &Builder{Config: b.with("rope_theta", nil)}
	return map[string]*Rotary{fullAttention: own.rope(full, headDim, theta, 1), slidingAttention: own.rope(sliding, headDim, local, 1)}
}

// gemma is what the three generations share.
func (b *Builder) gemma(actKey string, kvHeads int) *Spec {
	if b.BoolOr("use_bidirectional_attention", false) {
		b.Fail("use_bidirectional_attention: true, this model is no causal decoder")
	}
	biased := b.BoolOr("attention_bias", false)
	s := b.decoder(decoder{kvHeads: kvHeads, headDim: 256, tied: true, actKey: actKey, act: "gelu_pytorch_tanh",
		attentionB: biased, outputB: biased, norm: rmsOne, noRope: b.StringOr("model_type", "") == "gemma3_text"})
	s.Embed.Scale = float32(math.Sqrt(float64(s.Hidden)))
	return s
}

// rmsOne is an RMS norm that multiplies by one plus its weight.
func rmsOne(l *Builder, name string, n int, eps float64) NormSpec {
	s := l.RMS(name, n, eps)
	s.Offset = 1
	return s
}

// gemma2Like adds the norms behind attention and MLP, and the scale of queries.
func (b *Builder) gemma2Like() *Spec {
	s := b.gemma("hidden_activation|hidden_act", 4)
	eps := b.Eps("rms_norm_eps", 1e-6)
	for i := range s.Blocks {
		block, l := &s.Blocks[i], b.Layer("layers", i)
		block.Post1 = block.Norm2
		block.Norm2 = rmsOne(l, "pre_feedforward_layernorm", s.Hidden, eps)
		block.Post2 = rmsOne(l, "post_feedforward_layernorm", s.Hidden, eps)
		s.attention(i).Scale = float32(1 / math.Sqrt(b.positive("query_pre_attn_scalar", 256)))
	}
	return s
}

// softCap reads a cap on logits: the family's where the key is absent, none where it is null.
func (b *Builder) softCap(key string, family float64) float32 {
	if _, there := b.values[key]; there {
		family = 0
	}
	return float32(b.within(key, family, 0, mostNumber))
}

// dropRule writes a family's rule out as layer_types, because the layers that stay move.
func dropRule(rule func(layer int) string) func(map[string]any, int, []int) error {
	return func(config map[string]any, layers int, kept []int) error {
		writeKinds(config, layers, rule)
		return nil
	}
}

func dropGemma3(config map[string]any, layers int, kept []int) error {
	writeKinds(config, layers, everyNth(AsConfig(config).IntOr("sliding_window_pattern", 6)))
	return nil
}
