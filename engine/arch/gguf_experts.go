package arch

import (
	"avssnative/engine/device"
)

// Llama in GGUF files, dense or a mixture of experts (Mixtral), and the other mixtures.
func init() {
	mixture := map[string]string{
		"blk.ffn_gate_inp": "mlp.gate", "blk.ffn_gate_exps": "mlp.experts.%e.gate_proj", "blk.ffn_up_exps": "mlp.experts.%e.up_proj", "blk.ffn_down_exps": "mlp.experts.%e.down_proj",
	}
	registerGGUF("llama", ggufFamily{model: "llama", layers: decoderLayers, names: llamaNames, neighbours: true,
		variant: func(m *ggufMetadata) *ggufFamily {
			if m.count("expert_count") == 0 {
				return nil
			}
			return &ggufFamily{model: "mixtral", layers: decoderLayers, neighbours: true, names: with(map[string]string{
				"blk.ffn_gate_inp": "block_sparse_moe.gate", "blk.ffn_gate_exps": "block_sparse_moe.experts.%e.w1", "blk.ffn_up_exps": "block_sparse_moe.experts.%e.w3",
				"blk.ffn_down_exps": "block_sparse_moe.experts.%e.w2"}), fill: ggufExperts}
		}})
	for _, arch := range []string{"qwen3moe", "qwen3vlmoe"} { // the second beside a vision tower in another file
		registerGGUF(arch, ggufFamily{model: "qwen3_moe", layers: decoderLayers, names: with(mixture),
			fill: func(m *ggufMetadata, c map[string]any, n ggufShape) {
				ggufExperts(m, c, n)
				c["norm_topk_prob"], c["decoder_sparse_step"] = true, 1
			}})
	}
	registerGGUF("olmoe", ggufFamily{model: "olmoe", layers: decoderLayers, names: with(mixture),
		fill: func(m *ggufMetadata, c map[string]any, n ggufShape) {
			ggufExperts(m, c, n)
			c["norm_topk_prob"], c["clip_qkv"] = false, m.float("attention.clamp_kqv", 0)
		}})
	registerGGUF("granitemoe", ggufFamily{model: "granitemoe", layers: decoderLayers, names: with(map[string]string{
		"blk.ffn_gate_inp": "block_sparse_moe.router.layer", "blk.ffn_gate_exps": "block_sparse_moe.experts.%e.gate_proj",
		"blk.ffn_up_exps": "block_sparse_moe.experts.%e.up_proj", "blk.ffn_down_exps": "block_sparse_moe.experts.%e.down_proj"}), neighbours: true,
		fill: func(m *ggufMetadata, c map[string]any, n ggufShape) {
			ggufExperts(m, c, n)
			ggufGranite(m, c, n)
		}})
	// gpt-oss: biases everywhere, a logit a head that takes part in the softmax; its converter has parted gates from ups.
	registerGGUF("gpt-oss", ggufFamily{model: "gpt_oss", layers: decoderLayers, names: with(mixture, map[string]string{
		"blk.post_attention_norm": "post_attention_layernorm", "blk.attn_sinks": "self_attn.sinks!", "blk.ffn_gate_inp": "mlp.router"}),
		fill: func(m *ggufMetadata, c map[string]any, n ggufShape) {
			ggufExperts(m, c, n)
			c["intermediate_size"] = c["moe_intermediate_size"]
			m.windows(c, n, 2)
		}})
}

// ggufExperts says how many experts there are and how wide.
func ggufExperts(m *ggufMetadata, c map[string]any, n ggufShape) {
	c["num_local_experts"], c["num_experts"] = n.experts, n.experts
	c["num_experts_per_tok"] = m.size("expert_used_count", 0, max(n.experts, 1))
	inner := m.size("expert_feed_forward_length", n.inner, device.MaxExtent)
	if stack, found := m.file.Lookup("blk.0.ffn_up_exps.weight"); found && len(stack.Shape) == 3 && stack.Shape[1] > 0 &&
		stack.Shape[1] < device.MaxExtent {
		inner = int(stack.Shape[1])
	}
	c["moe_intermediate_size"] = inner
	if m.count("feed_forward_length") == 0 {
		c["intermediate_size"] = inner
	}
}
