package engine

import (
	"maps"
	"sort"
)

// ggufFamily says how one value of general.architecture is read: which family's file builds it, and what its tensors are called there.
type ggufFamily struct {
	model  string // the model_type
	layers string // prefix of a layer's tensors, %d for its number
	// names by GGUF's, without .weight and .bias; blk. stands for a layer. a|b|c are the rows of queries, keys and values, %e numbers experts.
	names      map[string]string
	neighbours bool // rotary pairs are neighbouring columns (llama.cpp's LLAMA_ROPE_TYPE_NORM)
	fill       func(m *ggufMetadata, c map[string]any, n ggufShape)
}

// ggufFamilies by general.architecture. Names on the left are those of PyPI's gguf (constants, tensor_mapping), on the right transformers'.
var ggufFamilies = map[string]*ggufFamily{}

func registerGGUF(arch string, f ggufFamily) {
	if ggufFamilies[arch] != nil {
		panic("engine: two readers of GGUF architecture " + arch)
	}
	ggufFamilies[arch] = &f
}

// ggufArchitectures lists the architectures whose family is there.
func ggufArchitectures() []string {
	var names []string
	for arch, family := range ggufFamilies {
		if architectures[family.model] != nil {
			names = append(names, arch)
		}
	}
	sort.Strings(names)
	return names
}

// llamaNames are those of Llama and most families since.
var llamaNames = map[string]string{
	"token_embd": "model.embed_tokens", "output_norm": "model.norm", "output": "lm_head",
	"blk.attn_norm": "input_layernorm", "blk.ffn_norm": "post_attention_layernorm",
	"blk.attn_q": "self_attn.q_proj", "blk.attn_k": "self_attn.k_proj", "blk.attn_v": "self_attn.v_proj", "blk.attn_output": "self_attn.o_proj",
	"blk.attn_qkv":    "self_attn.q_proj|self_attn.k_proj|self_attn.v_proj",
	"blk.attn_q_norm": "self_attn.q_norm", "blk.attn_k_norm": "self_attn.k_norm",
	"blk.ffn_gate": "mlp.gate_proj", "blk.ffn_up": "mlp.up_proj", "blk.ffn_down": "mlp.down_proj",
}

// with is llamaNames with some names changed or added.
func with(changed map[string]string) map[string]string {
	all := maps.Clone(llamaNames)
	maps.Copy(all, changed)
	return all
}

func init() {
	registerGGUF("llama", ggufFamily{model: "llama", layers: "model.layers.%d.", names: llamaNames, neighbours: true})
	registerGGUF("qwen2", ggufFamily{model: "qwen2", layers: "model.layers.%d.", names: llamaNames})
	registerGGUF("gpt2", ggufFamily{model: "gpt2", layers: "transformer.h.%d.", names: map[string]string{
		"token_embd": "transformer.wte", "position_embd": "transformer.wpe", "output_norm": "transformer.ln_f", "output": "lm_head",
		"blk.attn_norm": "ln_1", "blk.attn_qkv": "attn.c_attn", "blk.attn_output": "attn.c_proj",
		"blk.ffn_norm": "ln_2", "blk.ffn_up": "mlp.c_fc", "blk.ffn_down": "mlp.c_proj",
	}, fill: func(m *ggufMetadata, c map[string]any, n ggufShape) {
		c["n_inner"] = n.inner
	}})
	registerGGUF("gptneox", ggufFamily{model: "gpt_neox", layers: "gpt_neox.layers.%d.", names: map[string]string{
		"token_embd": "gpt_neox.embed_in", "output_norm": "gpt_neox.final_layer_norm", "output": "embed_out",
		"blk.attn_norm": "input_layernorm", "blk.ffn_norm": "post_attention_layernorm",
		"blk.attn_qkv": "attention.query_key_value", "blk.attn_output": "attention.dense",
		"blk.ffn_up": "mlp.dense_h_to_4h", "blk.ffn_down": "mlp.dense_4h_to_h",
	}, fill: func(m *ggufMetadata, c map[string]any, n ggufShape) {
		c["use_parallel_residual"] = m.truth("use_parallel_residual", true)
		if c["partial_rotary_factor"] == nil {
			c["partial_rotary_factor"] = 1
		}
	}})
}
