package arch

import (
	"maps"
	"slices"
)

// Sizes that decide how much a family's file builds are held against what any model could mean, before anything is built: a wrong
// configuration costs neither memory nor time.

// headBound and columnBound bound counts of heads and experts, and widths.
const headBound, columnBound = 1 << 14, 1 << 22

var sizeBounds = map[string]int{
	"num_attention_heads": headBound, "num_key_value_heads": headBound, "n_head": headBound, "n_heads": headBound, "num_heads": headBound,
	"num_kv_heads": headBound, "n_head_kv": headBound, "linear_num_key_heads": headBound, "linear_num_value_heads": headBound,
	"num_experts": headBound, "num_local_experts": headBound, "n_routed_experts": headBound, "num_experts_per_tok": headBound, "experts_per_token": headBound,
	"first_k_dense_replace": headBound, "n_group": headBound, "topk_group": headBound, "n_shared_experts": headBound,
	"num_nextn_predict_layers": headBound, "num_mtp_layers": headBound,
	"hidden_size": columnBound, "n_embd": columnBound, "d_model": columnBound, "dim": columnBound, "n_embed": columnBound, "head_dim": columnBound,
	"intermediate_size": columnBound, "moe_intermediate_size": columnBound, "shared_expert_intermediate_size": columnBound, "intermediate_size_mlp": columnBound,
	"n_inner": columnBound, "ffn_dim": columnBound, "hidden_dim": columnBound, "ffn_hidden_size": columnBound, "block_ff_dim": columnBound, "block_multiple_of": columnBound,
	"rotary_dim": columnBound, "word_embed_proj_dim": columnBound, "q_lora_rank": columnBound, "kv_lora_rank": columnBound, "qk_rope_head_dim": columnBound,
	"qk_nope_head_dim": columnBound, "v_head_dim": columnBound, "linear_key_head_dim": columnBound, "linear_value_head_dim": columnBound,
	"linear_conv_kernel_dim": columnBound, "conv_L_cache": columnBound,
}

// bound refuses sizes beyond those, and more layers than the most there can be.
func (b *Builder) bound(layers int) {
	check := func(key string, most int) {
		if b.Has(key) {
			if n := b.IntOr(key, 0); n < 0 || n > most {
				b.Fail("%s: %d, want 0 to %d", key, n, most)
			}
		}
	}
	for _, key := range slices.Sorted(maps.Keys(sizeBounds)) {
		check(key, sizeBounds[key])
	}
	for _, key := range layerCounts {
		check(key, layers)
	}
}

// Limits of numbers: far above what any published model has, far below what overflows.
const (
	mostNumber  = 1e15
	mostEps     = 1
	mostContext = 1 << 30
)

// Eps reads what a norm adds under its root.
func (c *Config) Eps(keys string, otherwise float64) float64 {
	return c.within(keys, otherwise, 0, mostEps)
}

// Context reads the longest sequence a model was made for.
func (c *Config) Context(keys string, otherwise int) int {
	key, _ := c.first(keys)
	n := c.IntOr(keys, otherwise)
	if n < 1 || n > mostContext {
		c.Fail("%s: %d, want 1 to %d", key, n, mostContext)
		return 1
	}
	return n
}

// within reads a number between two others.
func (c *Config) within(keys string, otherwise, least, most float64) float64 {
	key, _ := c.first(keys)
	x := c.FloatOr(keys, otherwise)
	if x < least || x > most {
		c.Fail("%s: %g, want %g to %g", key, x, least, most)
		return otherwise
	}
	return x
}
