package arch

// Gemma's three generations in GGUF files.
func init() {
	registerGGUF("gemma", ggufFamily{model: "gemma", layers: decoderLayers, names: llamaNames,
		fill: func(m *ggufMetadata, c map[string]any, n ggufShape) {
			c["hidden_act"] = "gelu_pytorch_tanh"
		}})
	names := with(map[string]string{
		"blk.post_attention_norm": "post_attention_layernorm", "blk.ffn_norm": "pre_feedforward_layernorm", "blk.post_ffw_norm": "post_feedforward_layernorm"})
	registerGGUF("gemma2", ggufFamily{model: "gemma2", layers: decoderLayers, names: names, fill: func(m *ggufMetadata, c map[string]any, n ggufShape) {
		ggufGemma(m, c, n, 46)
		c["attn_logit_softcapping"], c["final_logit_softcapping"] = m.float("attn_logit_softcapping", 50), m.float("final_logit_softcapping", 30)
		m.windows(c, n, 2)
		if c["sliding_window"] == nil {
			m.fail("gemma2.attention.sliding_window: missing")
		}
	}})
	registerGGUF("gemma3", ggufFamily{model: "gemma3_text", layers: decoderLayers, names: names,
		fill: func(m *ggufMetadata, c map[string]any, n ggufShape) {
			ggufGemma(m, c, n, 62)
			c["final_logit_softcapping"] = m.float("final_logit_softcapping", 0)
			c["rope_local_base_freq"] = m.float("rope.freq_base_swa", 10000)
			m.windows(c, n, 6)
		}})
}

// ggufGemma is what the second and third generation share. The largest model of each, known by its number of blocks alone, scales its
// scores by the width that heads would have without a size of their own.
func ggufGemma(m *ggufMetadata, c map[string]any, n ggufShape, largest int) {
	c["hidden_activation"], c["query_pre_attn_scalar"] = "gelu_pytorch_tanh", n.headDim
	if n.layers == largest {
		c["query_pre_attn_scalar"] = max(n.hidden/n.heads, 1)
	}
}
