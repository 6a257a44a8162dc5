package arch

// The dense families of GGUF files. What a value of the metadata means is read from llama.cpp (src/models and conversion).
func init() {
	plain := func(arch, model string, neighbours bool, changed map[string]string, fill func(*ggufMetadata, map[string]any, ggufShape)) {
		registerGGUF(arch, ggufFamily{model: model, layers: decoderLayers, names: with(changed), neighbours: neighbours, fill: fill})
	}
	plain("qwen2", "qwen2", false, nil, nil)
	// The text models of Qwen's models that see; the tower is in another file.
	plain("qwen2vl", "qwen2", false, nil, nil)
	plain("qwen3vl", "qwen3", false, nil, nil)
	plain("mistral3", "ministral3", true, nil, nil)
	plain("qwen3", "qwen3", false, nil, nil)
	plain("seed_oss", "seed_oss", false, map[string]string{"blk.post_attention_norm": "post_attention_layernorm"},
		func(m *ggufMetadata, c map[string]any, n ggufShape) {
			c["attention_out_bias"] = m.stored("blk.0.attn_output.bias")
		})
	plain("arcee", "arcee", true, nil, func(m *ggufMetadata, c map[string]any, n ggufShape) { c["hidden_act"] = "relu2" })
	plain("ernie4_5", "ernie4_5", true, nil, func(m *ggufMetadata, c map[string]any, n ggufShape) { c["use_bias"] = c["attention_bias"] })
	plain("granite", "granite", true, nil, ggufGranite)
	plain("smollm3", "smollm3", true, nil, func(m *ggufMetadata, c map[string]any, n ggufShape) {
		rotates := make([]int, n.layers)
		for i := range rotates {
			if (i+1)%4 != 0 {
				rotates[i] = 1
			}
		}
		c["no_rope_layers"] = rotates
	})
	plain("hunyuan-dense", "hunyuan_v1_dense", false, map[string]string{
		"blk.attn_q_norm": "self_attn.query_layernorm", "blk.attn_k_norm": "self_attn.key_layernorm"}, nil)
	plain("nemotron", "nemotron", false, nil, func(m *ggufMetadata, c map[string]any, n ggufShape) { c["hidden_act"] = "relu2" })
	plain("starcoder2", "starcoder2", false, map[string]string{"blk.ffn_up": "mlp.c_fc", "blk.ffn_down": "mlp.c_proj"},
		func(m *ggufMetadata, c map[string]any, n ggufShape) {
			c["use_bias"] = c["attention_bias"]
		})
	plain("stablelm", "stablelm", false, map[string]string{
		"blk.attn_q_norm": "self_attn.q_layernorm.norms.%e", "blk.attn_k_norm": "self_attn.k_layernorm.norms.%e"}, func(m *ggufMetadata, c map[string]any, n ggufShape) {
		c["use_parallel_residual"] = !m.stored("blk.0.ffn_norm.weight")
		c["use_qkv_bias"], c["qk_layernorm"] = c["attention_bias"], m.stored("blk.0.attn_q_norm.weight")
	})
	plain("phi2", "phi", false, map[string]string{
		"output_norm": "model.final_layernorm", "blk.attn_output": "self_attn.dense", "blk.ffn_up": "mlp.fc1", "blk.ffn_down": "mlp.fc2"}, func(m *ggufMetadata, c map[string]any, n ggufShape) {
		c["hidden_act"] = "gelu_new"
	})
	plain("phi3", "phi3", false, map[string]string{"blk.attn_qkv": "self_attn.qkv_proj", "blk.ffn_up": "mlp.gate_up_proj"},
		func(m *ggufMetadata, c map[string]any, n ggufShape) {
			if window := m.count("attention.sliding_window"); window > 0 {
				c["sliding_window"] = window
			}
		})
	plain("olmo", "olmo", true, nil, func(m *ggufMetadata, c map[string]any, n ggufShape) {
		c["clip_qkv"] = m.float("attention.clamp_kqv", 0)
	})
	afterwards := map[string]string{"blk.post_attention_norm": "post_attention_layernorm", "blk.post_ffw_norm": "post_feedforward_layernorm"}
	registerGGUF("olmo2", ggufFamily{model: "olmo2", layers: decoderLayers, names: with(afterwards), variant: func(m *ggufMetadata) *ggufFamily {
		if m.count("attention.sliding_window") == 0 {
			return nil
		}
		return &ggufFamily{model: "olmo3", layers: decoderLayers, names: with(afterwards), fill: func(m *ggufMetadata, c map[string]any, n ggufShape) {
			m.windows(c, n, 4)
		}}
	}})
	plain("exaone4", "exaone4", false, afterwards, func(m *ggufMetadata, c map[string]any, n ggufShape) {
		m.windows(c, n, 4)
		if n.layers != 64 { // llama.cpp knows the model that has windows by this
			c["sliding_window"], c["layer_types"] = nil, nil
		}
	})
	plain("glm4", "glm4", true, map[string]string{
		"blk.attn_qkv": "self_attn.q_proj|self_attn.k_proj|self_attn.v_proj", "blk.ffn_up": "mlp.gate_up_proj",
		"blk.post_attention_norm": "post_self_attn_layernorm", "blk.post_ffw_norm": "post_mlp_layernorm"}, nil)
	plain("chatglm", "glm", true, map[string]string{"blk.ffn_up": "mlp.gate_up_proj"}, nil)
	plain("command-r", "cohere", true, nil, ggufCohere)
	plain("cohere2", "cohere2", true, nil, func(m *ggufMetadata, c map[string]any, n ggufShape) {
		ggufCohere(m, c, n)
		m.windows(c, n, 4)
	})
}

// ggufGranite reads Granite's multipliers; one that the file lacks is 1, that of attention the usual 1/√headDim.
func ggufGranite(m *ggufMetadata, c map[string]any, n ggufShape) {
	c["embedding_multiplier"] = orOne(m.float("embedding_scale", 1))
	c["residual_multiplier"] = orOne(m.float("residual_scale", 1))
	c["logits_scaling"] = orOne(m.float("logit_scale", 1))
	c["attention_multiplier"] = m.float("attention.scale", 0)
	if c["attention_multiplier"] == 0.0 {
		c["attention_multiplier"] = float64(Causal(n.heads, n.kvHeads, n.headDim).Scale)
	}
}

// orOne is x, or 1 where x is the 0 that stands for "not set".
func orOne(x float64) float64 {
	if x == 0 {
		return 1
	}
	return x
}

func ggufCohere(m *ggufMetadata, c map[string]any, n ggufShape) {
	c["use_qk_norm"] = m.stored("blk.0.attn_q_norm.weight")
	c["logit_scale"] = orOne(m.float("logit_scale", 1))
}
