package arch

// Nemotron-NAS, in its code DeciLM (arXiv 2411.19146): a Llama of which block_configs gives every layer a shape of its own, or takes its
// attention, its MLP, or both. Without a half there is no norm before it either. A linear map may stand in the place of an attention. GGUF
// files call the architecture deci.
func init() {
	Register(Family{
		ModelTypes: []string{NemotronNAS},
		Build: func(b *Builder) *Spec {
			// Of what differs by layer the configuration itself says nothing.
			b.Config = b.with("intermediate_size", jsonNumber(1)).with("num_key_value_heads", nil)
			mlpB := b.BoolOr("mlp_bias", false)
			s := b.decoder(decoder{attentionB: b.BoolOr("attention_bias", false), outputB: b.BoolOr("attention_bias", false), mlpB: mlpB})
			list := b.Objects("block_configs")
			if len(list) != len(s.Blocks) {
				b.Fail("block_configs: %d entries for %d layers", len(list), len(s.Blocks))
				return s
			}
			for i := range s.Blocks {
				l := b.Layer("layers", i)
				s.Blocks[i].attends(l, list[i].Section("attention"), s.Hidden)
				s.Blocks[i].feeds(l, list[i].Section("ffn"), s.Hidden, mlpB)
			}
			return s
		},
		Drop: func(config map[string]any, layers int, kept []int) error {
			if list, ok := config["block_configs"].([]any); ok && len(list) == layers {
				config["block_configs"] = KeepOnly(list, kept)
			}
			return nil
		},
	})
}

// NemotronNAS is the family in which a layer may lack a half.
const NemotronNAS = "nemotron-nas"

// attends gives a block the attention that its entry describes.
func (s *BlockSpec) attends(l *Builder, c *Config, hidden int) {
	c.refuse("sparsify", "window_length", "num_sink_tokens", "unshifted_sink")
	linear := c.BoolOr("replace_with_linear", false)
	if c.BoolOr("no_op", false) {
		if linear {
			c.Fail("%sno_op and replace_with_linear: want one of them", c.where)
		}
		s.Mixer, s.Norm1 = nil, NormSpec{}
		return
	}
	if linear {
		s.Mixer = &LinearSpec{O: l.Linear("self_attn.linear_attn", hidden, hidden, false)}
		return
	}
	a := s.Mixer.(*AttentionSpec)
	group := c.Int("n_heads_in_group")
	if group > a.Heads || a.Heads%group != 0 {
		c.Fail("%sn_heads_in_group: %d of %d heads: want whole groups", c.where, group, a.Heads)
		return
	}
	kv := a.Heads / group
	biased := a.K.Bias.Name != ""
	a.KVHeads = kv
	a.K, a.V = l.Linear("self_attn.k_proj", kv*a.HeadDim, hidden, biased), l.Linear("self_attn.v_proj", kv*a.HeadDim, hidden, biased)
}

// feeds gives a block the MLP that its entry describes: as wide as it says, or as follows from a multiple of the hidden size.
func (s *BlockSpec) feeds(l *Builder, c *Config, hidden int, biased bool) {
	c.refuse("replace_with_linear", "sparsify", "moe")
	if c.BoolOr("no_op", false) {
		s.MLP, s.Norm2 = nil, NormSpec{}
		return
	}
	inner := c.IntOr("intermediate_size", 0)
	if inner == 0 {
		const multiple = 256
		inner = (int(2*c.within("ffn_mult", 0, 0, columnBound)*float64(hidden)/3) + multiple - 1) / multiple * multiple
	}
	if inner < 1 || inner > columnBound {
		c.Fail("%sintermediate_size or ffn_mult: a width of %d, want 1 to %d", c.where, inner, columnBound)
		return
	}
	g := s.MLP.(*GatedSpec)
	g.Gate, g.Up = l.Linear("mlp.gate_proj", inner, hidden, biased), l.Linear("mlp.up_proj", inner, hidden, biased)
	g.Down = l.Linear("mlp.down_proj", hidden, inner, biased)
}

// refuse reports what a layer may also be and is not computed here.
func (c *Config) refuse(keys ...string) {
	for _, key := range keys {
		if v := c.values[key]; v != nil && v != false {
			c.Fail("%s%s: %.80v: not supported", c.where, key, v)
		}
	}
}
