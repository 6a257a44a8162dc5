package arch

import (
	"strconv"
	"strings"

	"avssnative/engine/device"
	"avssnative/engine/weights"
)

// Families of GGUF files whose layers are of several kinds: latent attention, delta rules, short convolutions, experts behind dense layers.
func init() {
	behind := map[string]string{
		"blk.ffn_gate_inp": "mlp.gate", "blk.exp_probs_b": "mlp.gate.e_score_correction_bias!",
		"blk.ffn_gate_exps": "mlp.experts.%e.gate_proj", "blk.ffn_up_exps": "mlp.experts.%e.up_proj", "blk.ffn_down_exps": "mlp.experts.%e.down_proj",
		"blk.ffn_gate_shexp": "mlp.shared_experts.gate_proj", "blk.ffn_up_shexp": "mlp.shared_experts.up_proj", "blk.ffn_down_shexp": "mlp.shared_experts.down_proj",
	}
	latent := with(behind, map[string]string{
		"blk.attn_q_a": "self_attn.q_a_proj", "blk.attn_q_a_norm": "self_attn.q_a_layernorm", "blk.attn_q_b": "self_attn.q_b_proj",
		"blk.attn_kv_a_mqa": "self_attn.kv_a_proj_with_mqa", "blk.attn_kv_a_norm": "self_attn.kv_a_layernorm",
		"blk.attn_kv_b": "self_attn.kv_b_proj", "blk.attn_k_b": "self_attn.k_b_proj", "blk.attn_v_b": "self_attn.v_b_proj"})
	registerGGUF("deepseek2", ggufFamily{model: "deepseek_v2", layers: decoderLayers, names: latent, neighbours: true, fill: ggufLatent,
		variant: func(m *ggufMetadata) *ggufFamily {
			if m.count("expert_gating_func") != sigmoidGates {
				return nil
			}
			return &ggufFamily{model: "deepseek_v3", layers: decoderLayers, names: latent, neighbours: true, fill: ggufLatent}
		}})
	registerGGUF("glm4moe", ggufFamily{model: "glm4_moe", layers: decoderLayers, names: with(behind, map[string]string{
		"blk.post_attention_norm": "post_attention_layernorm"}), fill: func(m *ggufMetadata, c map[string]any, n ggufShape) {
		ggufShared(m, c, n)
		c["use_qk_norm"] = m.stored("blk.0.attn_q_norm.weight")
	}})
	registerGGUF("llama4", ggufFamily{model: "llama4_text", layers: decoderLayers, names: with(map[string]string{
		"blk.ffn_gate": "feed_forward.gate_proj", "blk.ffn_up": "feed_forward.up_proj", "blk.ffn_down": "feed_forward.down_proj", "blk.ffn_gate_inp": "feed_forward.router",
		"blk.ffn_gate_exps": "feed_forward.experts.%e.gate_proj", "blk.ffn_up_exps": "feed_forward.experts.%e.up_proj", "blk.ffn_down_exps": "feed_forward.experts.%e.down_proj",
		"blk.ffn_gate_shexp": "feed_forward.shared_expert.gate_proj", "blk.ffn_up_shexp": "feed_forward.shared_expert.up_proj", "blk.ffn_down_shexp": "feed_forward.shared_expert.down_proj",
	}), neighbours: true, fill: ggufLlama4})
	registerGGUF("lfm2", ggufFamily{model: "lfm2", layers: decoderLayers, names: with(map[string]string{
		"token_embd_norm": "model.embedding_norm", "output_norm": "model.embedding_norm", "blk.attn_norm": "operator_norm", "blk.ffn_norm": "ffn_norm",
		"blk.ffn_gate": "feed_forward.w1", "blk.ffn_up": "feed_forward.w3", "blk.ffn_down": "feed_forward.w2", "blk.attn_output": "self_attn.out_proj",
		"blk.attn_q_norm": "self_attn.q_layernorm", "blk.attn_k_norm": "self_attn.k_layernorm",
		"blk.shortconv.conv": "conv.conv", "blk.shortconv.in_proj": "conv.in_proj", "blk.shortconv.out_proj": "conv.out_proj"}), fill: func(m *ggufMetadata, c map[string]any, n ggufShape) {
		c["block_auto_adjust_ff_dim"], c["conv_L_cache"] = false, m.size("shortconv.l_cache", 3, mostHeadDim)
		kinds := make([]string, n.layers)
		for layer := range kinds {
			if kinds[layer] = fullAttention; m.stored(blk(layer, "shortconv.conv.weight")) {
				kinds[layer] = convolution
			}
		}
		c["layer_types"] = kinds
	}})
	delta := with(behind, map[string]string{
		"blk.attn_qkv": "linear_attn.in_proj_qkv", "blk.attn_gate": "linear_attn.in_proj_z", "blk.ssm_in": "linear_attn.in_proj_qkvz", "blk.ssm_ba": "linear_attn.in_proj_ba",
		"blk.ssm_beta": "linear_attn.in_proj_b", "blk.ssm_alpha": "linear_attn.in_proj_a", "blk.ssm_conv1d": "linear_attn.conv1d", "blk.ssm_dt": "linear_attn.dt_bias!",
		"blk.ssm_a": "linear_attn.A_log!", "blk.ssm_norm": "linear_attn.norm", "blk.ssm_out": "linear_attn.out_proj", "blk.post_attention_norm": "post_attention_layernorm",
		"blk.ffn_gate_inp_shexp": "mlp.shared_expert_gate", "blk.ffn_gate_shexp": "mlp.shared_expert.gate_proj", "blk.ffn_up_shexp": "mlp.shared_expert.up_proj",
		"blk.ffn_down_shexp": "mlp.shared_expert.down_proj"})
	registerGGUF("qwen3next", ggufFamily{model: "qwen3_next", layers: decoderLayers, names: delta,
		fill: func(m *ggufMetadata, c map[string]any, n ggufShape) {
			ggufDelta(m, c, n)
			c["norm_topk_prob"], c["decoder_sparse_step"] = true, 1
		}})
	registerGGUF("qwen35", ggufFamily{model: "qwen3_5_text", layers: decoderLayers, names: delta, tiled: true, fill: ggufDelta})
	registerGGUF("qwen35moe", ggufFamily{model: "qwen3_5_moe_text", layers: decoderLayers, names: delta, tiled: true, fill: ggufDelta})
	registerGGUF("apertus", ggufFamily{model: "apertus", layers: decoderLayers, names: with(map[string]string{
		"blk.attn_norm": "attention_layernorm", "blk.ffn_norm": "feedforward_layernorm"}), fill: func(m *ggufMetadata, c map[string]any, n ggufShape) {
		if c["rope_scaling"] == nil {
			c["rope_scaling"] = map[string]any{"rope_type": "default"}
		}
	}, made: ggufXIELU})
}

// sigmoidGates is the file's number for routing by sigmoids.
const sigmoidGates = 2

// ggufShared says how experts behind dense layers are chosen, and how many every token visits.
func ggufShared(m *ggufMetadata, c map[string]any, n ggufShape) {
	ggufExperts(m, c, n)
	c["n_routed_experts"], c["n_shared_experts"] = n.experts, min(m.count("expert_shared_count"), mostExperts)
	c["first_k_dense_replace"] = m.count("leading_dense_block_count")
	c["routed_scaling_factor"], c["norm_topk_prob"] = orOne(m.float("expert_weights_scale", 1)), m.truth("expert_weights_norm", false)
	c["n_group"], c["topk_group"] = max(m.count("expert_group_count"), 1), max(m.count("expert_group_used_count"), 1)
	c["num_nextn_predict_layers"] = n.blocks - n.layers
}

// ggufLatent is DeepSeek's: sizes of heads beside the ones of the rows that llama.cpp keeps.
func ggufLatent(m *ggufMetadata, c map[string]any, n ggufShape) {
	ggufShared(m, c, n)
	rotated := m.size("rope.dimension_count", 0, mostHeadDim)
	key := m.size("attention.key_length_mla", n.headDim, mostHeadDim)
	if key <= rotated {
		m.fail("%s.rope.dimension_count: %d of heads of %d", m.arch, rotated, key)
	}
	c["qk_rope_head_dim"], c["qk_nope_head_dim"] = rotated, key-rotated
	c["v_head_dim"] = m.size("attention.value_length_mla", n.valueDim, mostHeadDim)
	c["kv_lora_rank"], c["q_lora_rank"] = m.size("attention.kv_lora_rank", 0, device.MaxExtent), nil
	if m.stored("blk.0.attn_q_a.weight") {
		c["q_lora_rank"] = m.size("attention.q_lora_rank", 0, device.MaxExtent)
	}
	// The decoder that is built first has plain heads, which are then replaced: any that divide will do.
	c["partial_rotary_factor"], c["num_key_value_heads"] = 1, n.heads
	if scaling, ok := c["rope_scaling"].(map[string]any); ok && scaling["rope_type"] == "yarn" {
		delete(scaling, "attention_factor")
		// A tenth of mscale_all_dim is stored; mscale is the same in every published model.
		if all := 10 * m.float("rope.scaling.yarn_log_multiplier", 0); all != 0 {
			scaling["mscale"], scaling["mscale_all_dim"] = all, all
		}
	}
	if m.count("expert_group_count") > 1 {
		c["topk_method"] = "group_limited_greedy"
	}
	if m.has("attention.temperature_scale") {
		m.fail("%s.attention.temperature_scale: queries that grow with position are not known in this architecture", m.arch)
	}
}

// ggufLlama4 says what llama.cpp takes for granted: the chunk, and that every fourth layer has no positions, unless no layer has a chunk.
func ggufLlama4(m *ggufMetadata, c map[string]any, n ggufShape) {
	ggufExperts(m, c, n)
	c["intermediate_size_mlp"], c["intermediate_size"] = n.inner, c["moe_intermediate_size"]
	c["use_qk_norm"] = n.experts != 128
	chunked := !m.has("attention.sliding_window") || m.count("attention.sliding_window") > 0
	pattern, _ := m.raw("attention.sliding_window_pattern")
	list, _ := pattern.([]bool)
	with, kinds, rotates := []int{}, make([]string, n.layers), make([]int, n.layers)
	for layer := range kinds {
		if m.stored(blk(layer, "ffn_gate_inp.weight")) {
			with = append(with, layer)
		}
		kinds[layer], rotates[layer] = fullAttention, 1
		if chunked {
			if (layer+1)%4 == 0 {
				rotates[layer] = 0
			}
			slides := rotates[layer] == 1
			if len(list) == n.layers {
				slides = list[layer]
			}
			if slides {
				kinds[layer] = chunkedAttention
			}
		}
	}
	c["moe_layers"], c["layer_types"], c["no_rope_layers"] = with, kinds, rotates
}

// ggufDelta is what the gated delta rule needs, and which layers have it.
func ggufDelta(m *ggufMetadata, c map[string]any, n ggufShape) {
	if n.experts > 0 {
		ggufExperts(m, c, n)
		c["shared_expert_intermediate_size"] = m.size("expert_shared_feed_forward_length", n.inner, device.MaxExtent)
	}
	heads := m.size("ssm.time_step_rank", 0, mostHeads)
	c["linear_num_value_heads"], c["linear_num_key_heads"] = heads, m.size("ssm.group_count", 0, mostHeads)
	c["linear_key_head_dim"], c["linear_conv_kernel_dim"] = m.size("ssm.state_size", 0, mostHeadDim), m.size("ssm.conv_kernel", 0, mostHeadDim)
	c["linear_value_head_dim"] = max(m.size("ssm.inner_size", 0, device.MaxExtent)/heads, 1)
	kinds := make([]string, n.layers)
	for layer := range kinds {
		if kinds[layer] = fullAttention; m.stored(blk(layer, "ssm_out.weight")) {
			kinds[layer] = linearAttention
		}
	}
	c["layer_types"] = kinds
}

// ggufXIELU makes the tensors that Apertus keeps its activation's parameters in.
func ggufXIELU(m *ggufMetadata, n ggufShape, s *weights.GGUF) error {
	own := &ggufMetadata{file: m.file, arch: "xielu"}
	for _, p := range []struct {
		key   string
		shape []int
	}{{"alpha_p", []int{1}}, {"alpha_n", []int{1}}, {"beta", nil}, {"eps", nil}} {
		values := own.floats(p.key, n.layers)
		if own.fault != nil {
			return own.fault
		}
		for layer, v := range values {
			if err := s.Make(strings.Replace(decoderLayers, "%d", strconv.Itoa(layer), 1)+"mlp.act_fn."+p.key, p.shape, []float32{v}); err != nil {
				return err
			}
		}
	}
	return nil
}
