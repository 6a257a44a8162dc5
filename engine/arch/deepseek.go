package arch

import "math"

// DeepSeek V2 (arXiv 2405.04434) and V3 (arXiv 2412.19437): latent attention; experts behind the first dense layers, with shared ones that
// every token visits. V2 weighs by softmax, V3 by sigmoids with a correction that only the choice sees, from the best groups of experts.
// GLM-4.5 (arXiv 2508.06471, "glm4_moe") has V3's experts and ordinary attention.
func init() {
	Register(Family{ModelTypes: []string{"deepseek_v2"}, Drop: dropFirstDense(0), Build: func(b *Builder) *Spec {
		routing := Routing{Top: b.Int("num_experts_per_tok"), Scale: b.multiplier64("routed_scaling_factor", 1)}
		switch method := b.StringOr("topk_method", "greedy"); method {
		case "greedy":
		case "group_limited_greedy":
			routing.Groups, routing.TopGroups = b.Int("n_group"), b.Int("topk_group")
		default:
			b.Choose("topk_method", method, "greedy", "group_limited_greedy")
		}
		s := b.latent(1e-6, true)
		return b.sharedMixtures(s, routing, false, b.IntOr("first_k_dense_replace", 0), b.IntOr("moe_intermediate_size", 1407), b.IntOr("n_shared_experts", 2))
	}})
	Register(Family{ModelTypes: []string{"deepseek_v3"}, Drop: dropFirstDense(3), Build: func(b *Builder) *Spec {
		s := b.latent(1e-6, b.BoolOr("rope_interleave", true))
		s.Unused = b.furtherOr(1)
		return b.sharedMixtures(s, b.routingV3(2.5, 8, 4), true, b.IntOr("first_k_dense_replace", 3), b.IntOr("moe_intermediate_size", 2048), b.IntOr("n_shared_experts", 1))
	}})
	Register(Family{ModelTypes: []string{"glm4_moe"}, Drop: dropFirstDense(1), Build: func(b *Builder) *Spec {
		s := b.decoder(decoder{eps: 1e-5, kvHeads: 8, share: 0.5, attentionB: b.BoolOr("attention_bias", false)})
		if b.BoolOr("use_qk_norm", false) {
			s.headNorms(b, "self_attn.q_norm", "self_attn.k_norm", b.Eps("rms_norm_eps", 1e-5), 0)
		}
		s.Unused = b.furtherOr(1)
		return b.sharedMixtures(s, b.routingV3(1, 1, 1), true, b.IntOr("first_k_dense_replace", 1), b.IntOr("moe_intermediate_size", 1408), b.IntOr("n_shared_experts", 1))
	}})
}

// multiplier64 reads a factor that must not be zero.
func (b *Builder) multiplier64(key string, otherwise float64) float64 {
	x := b.FloatOr(key, otherwise)
	if x == 0 {
		b.Fail("%s: 0 leaves nothing", key)
	}
	return x
}

// routingV3 reads V3's rule with a family's defaults.
func (b *Builder) routingV3(scale float64, groups, topGroups int) Routing {
	return Routing{Score: SigmoidScore, Top: b.IntOr("num_experts_per_tok", 8), GroupPair: true, Normalise: b.BoolOr("norm_topk_prob", true),
		Groups: b.IntOr("n_group", groups), TopGroups: b.IntOr("topk_group", topGroups), Scale: b.multiplier64("routed_scaling_factor", scale)}
}

// sharedMixtures puts experts with shared ones into all layers but the first dense.
func (b *Builder) sharedMixtures(s *Spec, routing Routing, corrected bool, dense, inner, shared int) *Spec {
	b.mixtures(s, inner, routing, func(layer int) bool { return layer >= dense })
	for i := range s.Blocks {
		e, ok := s.Blocks[i].MLP.(*ExpertsSpec)
		if !ok {
			continue
		}
		l := b.Layer("layers", i)
		if corrected {
			e.Correction = l.Vector("mlp.gate.e_score_correction_bias", len(e.Experts))
		}
		if shared > 0 {
			e.Shared = l.gated("mlp.shared_experts", shared*inner, s.Hidden, e.Experts[0].Activation)
		}
	}
	return s
}

// dropFirstDense counts the dense layers that stay: they come first.
func dropFirstDense(otherwise int) func(map[string]any, int, []int) error {
	return func(config map[string]any, layers int, kept []int) error {
		c := AsConfig(config)
		dense, stay := c.IntOr("first_k_dense_replace", otherwise), 0
		for _, layer := range kept {
			if layer < dense {
				stay++
			}
		}
		config["first_k_dense_replace"] = stay
		return c.Err()
	}
}

// latent is the decoder with latent attention in every layer.
func (b *Builder) latent(eps float64, neighbours bool) *Spec {
	s := b.decoder(decoder{eps: eps, noRope: true, mlpB: b.BoolOr("mlp_bias", false)})
	heads, rank, queryRank := b.Int("num_attention_heads"), b.IntOr("kv_lora_rank", 512), b.absentOr("q_lora_rank", 1536, 0)
	rotated, still, value := b.IntOr("qk_rope_head_dim", 64), b.IntOr("qk_nope_head_dim", 128), b.IntOr("v_head_dim", 128)
	biased := b.BoolOr("attention_bias", false)
	c := b.Section("rope_scaling")
	if len(c.values) == 0 {
		c = b.Section("rope_parameters")
	}
	rope := b.rope(c, rotated, 10000, 1)
	rope.Interleaved = neighbours
	scale := 1 / math.Sqrt(float64(still+rotated))
	if c.StringOr("rope_type|type", "default") != "default" {
		if all := c.FloatOr("mscale_all_dim", 0); all != 0 {
			widened := widen(c.FloatOr("factor", 1), all)
			scale *= widened * widened
		}
	}
	for i := range s.Blocks {
		l := b.Layer("layers", i)
		a := &LatentSpec{Heads: heads, Still: still, Rotated: rotated, Value: value, Rank: rank, Scale: float32(scale), Rope: rope}
		if queryRank > 0 {
			a.QDown = l.Linear("self_attn.q_a_proj", queryRank, s.Hidden, biased)
			a.QNorm = l.RMS("self_attn.q_a_layernorm", queryRank, 1e-6)
			a.Q = l.Linear("self_attn.q_b_proj", heads*(still+rotated), queryRank, false)
		} else {
			a.Q = l.Linear("self_attn.q_proj", heads*(still+rotated), s.Hidden, false)
		}
		a.KVDown = l.Linear("self_attn.kv_a_proj_with_mqa", rank+rotated, s.Hidden, biased)
		a.KVNorm = l.RMS("self_attn.kv_a_layernorm", rank, 1e-6)
		if l.Stored("self_attn.k_b_proj.weight") { // GGUF's
			a.KHeads, a.VHeads = l.stacked("self_attn.k_b_proj", heads, rank, still), l.stacked("self_attn.v_b_proj", heads, value, rank)
		} else {
			kv := l.Linear("self_attn.kv_b_proj", heads*(still+value), rank, false)
			a.K = kv.Part(Heads(heads, still+value, 0, still)...)
			a.V = kv.Part(Heads(heads, still+value, still, value)...)
		}
		a.O = l.Linear("self_attn.o_proj", s.Hidden, heads*value, biased)
		s.Blocks[i].Mixer = a
	}
	return s
}

// stacked refers to the matrices [out × in] of one tensor [count × out × in].
func (b *Builder) stacked(name string, count, out, in int) []Linear {
	all := make([]Linear, count)
	for i := range all {
		all[i].Weight = Ref{Name: b.prefix + name + ".weight", Shape: []int{count, out, in}, Offset: i * out * in, Out: out, In: in}
	}
	return all
}
