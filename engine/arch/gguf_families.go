package arch

import (
	"maps"
	"sort"

	"avssnative/engine/weights"
)

// ggufFamily says how one value of general.architecture is read: which family's file builds it, and what its tensors are called there.
type ggufFamily struct {
	model  string // the model_type
	layers string // prefix of a layer's tensors, %d for its number
	// names by GGUF's, without .weight and .bias; blk. stands for a layer. a|b|c are the rows of queries, keys and values, %e numbers experts,
	// and a name that ends in ! is whole.
	names      map[string]string
	neighbours bool // rotary pairs are neighbouring columns (llama.cpp's LLAMA_ROPE_TYPE_NORM)
	uneven     bool // blocks differ in size, or lack a half; what is asked of all of them is the largest
	tiled      bool // value heads of a delta rule: head h is of key head h mod keyHeads
	fill       func(m *ggufMetadata, c map[string]any, n ggufShape)
	// made adds tensors that the family's own files have and GGUF keeps as metadata; nil: none.
	made func(m *ggufMetadata, n ggufShape, s *weights.GGUF) error
	// variant is another family that the same architecture's files may be, by what is in them; nil: none.
	variant func(m *ggufMetadata) *ggufFamily
}

// ggufFamilies by general.architecture. Names on the left are those of PyPI's gguf (constants, tensor_mapping), on the right transformers'.
var ggufFamilies = map[string]*ggufFamily{}

func registerGGUF(arch string, f ggufFamily) {
	if ggufFamilies[arch] != nil {
		panic("arch: two readers of GGUF architecture " + arch)
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

const decoderLayers = "model.layers.%d."

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
func with(changes ...map[string]string) map[string]string {
	all := maps.Clone(llamaNames)
	for _, changed := range changes {
		maps.Copy(all, changed)
	}
	return all
}
