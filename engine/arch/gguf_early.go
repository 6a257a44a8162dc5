package arch

// The families of GGUF files whose own files have GPT-2's or BLOOM's kind of names.
func init() {
	gpt2 := map[string]string{
		"token_embd": "transformer.wte", "position_embd": "transformer.wpe", "output_norm": "transformer.ln_f", "output": "lm_head",
		"blk.attn_norm": "ln_1", "blk.attn_qkv": "attn.c_attn", "blk.attn_output": "attn.c_proj",
		"blk.ffn_norm": "ln_2", "blk.ffn_up": "mlp.c_fc", "blk.ffn_down": "mlp.c_proj",
	}
	registerGGUF("gpt2", ggufFamily{model: "gpt2", layers: "transformer.h.%d.", names: gpt2, fill: func(m *ggufMetadata, c map[string]any, n ggufShape) {
		c["n_inner"] = n.inner
	}})
	registerGGUF("starcoder", ggufFamily{model: "gpt_bigcode", layers: "transformer.h.%d.", names: gpt2,
		fill: func(m *ggufMetadata, c map[string]any, n ggufShape) {
			c["n_inner"], c["multi_query"] = n.inner, n.kvHeads == 1
		}})
	registerGGUF("gptneox", ggufFamily{model: "gpt_neox", layers: "gpt_neox.layers.%d.", names: map[string]string{
		"token_embd": "gpt_neox.embed_in", "output_norm": "gpt_neox.final_layer_norm", "output": "embed_out",
		"blk.attn_norm": "input_layernorm", "blk.ffn_norm": "post_attention_layernorm",
		"blk.attn_qkv": "attention.query_key_value", "blk.attn_output": "attention.dense",
		"blk.ffn_up": "mlp.dense_h_to_4h", "blk.ffn_down": "mlp.dense_4h_to_h",
	}, fill: func(m *ggufMetadata, c map[string]any, n ggufShape) {
		c["use_parallel_residual"] = m.truth("use_parallel_residual", true)
	}})
	bloom := map[string]string{
		"token_embd": "transformer.word_embeddings", "token_embd_norm": "transformer.word_embeddings_layernorm",
		"output_norm": "transformer.ln_f", "output": "lm_head",
		"blk.attn_norm": "input_layernorm", "blk.attn_qkv": "self_attention.query_key_value", "blk.attn_output": "self_attention.dense",
		"blk.ffn_norm": "post_attention_layernorm", "blk.ffn_up": "mlp.dense_h_to_4h", "blk.ffn_down": "mlp.dense_4h_to_h",
	}
	registerGGUF("bloom", ggufFamily{model: "bloom", layers: "transformer.h.%d.", names: bloom})
	registerGGUF("mpt", ggufFamily{model: "mpt", layers: "transformer.blocks.%d.", names: map[string]string{
		"token_embd": "transformer.wte", "output_norm": "transformer.norm_f", "output": "lm_head",
		"blk.attn_norm": "norm_1", "blk.attn_qkv": "attn.Wqkv", "blk.attn_output": "attn.out_proj",
		"blk.ffn_norm": "norm_2", "blk.ffn_up": "ffn.up_proj", "blk.ffn_down": "ffn.down_proj",
	}, fill: func(m *ggufMetadata, c map[string]any, n ggufShape) {
		if bias := m.float("attention.max_alibi_bias", 0); bias != 8 {
			m.fail("mpt.attention.max_alibi_bias: %v, want the 8 that published models have", bias)
		}
		c["attn_config"] = map[string]any{"clip_qkv": m.float("attention.clamp_kqv", 0)}
	}})
	falcon := func(m *ggufMetadata, c map[string]any, n ggufShape) {
		two := m.stored("blk.0.attn_norm_2.weight")
		c["new_decoder_architecture"] = two || n.kvHeads != 1 && n.kvHeads != n.heads
		c["num_ln_in_parallel_attn"], c["num_kv_heads"], c["multi_query"] = 1, n.kvHeads, n.kvHeads == 1
		if two {
			c["num_ln_in_parallel_attn"] = 2
		}
		c["bias"], c["ffn_hidden_size"] = m.stored("blk.0.attn_qkv.bias"), n.inner
	}
	registerGGUF("falcon", ggufFamily{model: "falcon", layers: "transformer.h.%d.", names: bloom, fill: falcon,
		variant: func(m *ggufMetadata) *ggufFamily {
			if !m.stored("blk.0.attn_norm_2.weight") {
				return nil
			}
			two := map[string]string{"blk.attn_norm": "ln_mlp", "blk.attn_norm_2": "ln_attn"}
			for key, name := range bloom {
				if two[key] == "" {
					two[key] = name
				}
			}
			return &ggufFamily{model: "falcon", layers: "transformer.h.%d.", names: two, fill: falcon}
		}})
}
