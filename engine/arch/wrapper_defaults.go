package arch

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"
)

// A text_config leaves out what its configuration class has by default, sizes among them, where a model's own config.json names them all.

// textSizes are a configuration class's defaults. 0: the class has none, and the family's rule holds.
type textSizes struct {
	vocab, hidden, inner, layers, heads, kvHeads, headDim, context int
	eps, theta                                                     float64
}

// sizesOf are those of transformers 5.23, by model_type (models/NAME/configuration_NAME.py).
var sizesOf = map[string]textSizes{
	"cohere2":           {256000, 8192, 22528, 40, 64, 0, 0, 8192, 0, 0},
	"exaone4":           {102400, 4096, 16384, 32, 32, 32, 0, 2048, 1e-5, 0},
	"gemma3_text":       {262208, 2304, 9216, 26, 8, 4, 256, 131072, 1e-6, 0},
	"granite":           {32000, 4096, 11008, 32, 32, 0, 0, 2048, 1e-6, 0},
	"lfm2":              {65536, 2560, 12288, 32, 32, 8, 0, 128000, 0, 1e6},
	"llama":             {32000, 4096, 11008, 32, 32, 0, 0, 2048, 1e-6, 0},
	"llama4_text":       {202048, 5120, 8192, 48, 40, 8, 128, 131072, 1e-5, 500000},
	"ministral3":        {131072, 4096, 14336, 34, 32, 8, 128, 262144, 1e-5, 0},
	"mistral":           {32000, 4096, 14336, 32, 32, 8, 0, 131072, 1e-6, 0},
	"qwen2":             {151936, 4096, 22016, 32, 32, 32, 0, 32768, 1e-6, 0},
	"qwen2_5_vl_text":   {152064, 8192, 29568, 80, 64, 8, 0, 32768, 1e-5, 1e6},
	"qwen2_vl_text":     {152064, 8192, 29568, 80, 64, 8, 0, 32768, 1e-5, 1e6},
	"qwen3":             {151936, 4096, 22016, 32, 32, 32, 128, 32768, 1e-6, 0},
	"qwen3_5_moe_text":  {248320, 2048, 0, 40, 16, 2, 256, 32768, 1e-6, 0},
	"qwen3_5_text":      {248320, 4096, 12288, 32, 16, 4, 256, 32768, 1e-6, 0},
	"qwen3_vl_moe_text": {151936, 2048, 5632, 24, 16, 16, 0, 128000, 1e-6, 500000},
	"qwen3_vl_text":     {151936, 4096, 22016, 32, 32, 32, 128, 128000, 1e-6, 500000},
}

// textExtras are further defaults that tell a wrapped text model from the family whose block it is.
var textExtras = map[string]map[string]any{
	"qwen2_5_vl_text":  {"max_window_layers": jsonNumber(80)},
	"qwen2_vl_text":    {"max_window_layers": jsonNumber(80)},
	"qwen3_5_moe_text": {"num_experts|num_local_experts": jsonNumber(256)},
	"qwen3_vl_moe_text": {"norm_topk_prob": true, "num_experts|num_local_experts": jsonNumber(60), "num_experts_per_tok": jsonNumber(4),
		"moe_intermediate_size": jsonNumber(1408)},
}

// addDefaults adds what a text_config of one model_type leaves out, and says which keys it added.
func addDefaults(values map[string]any, kind string) (added []string) {
	n := sizesOf[kind]
	add := func(keys string, value any, has bool) {
		spellings := strings.Split(keys, "|")
		there := slices.ContainsFunc(spellings, func(key string) bool { _, there := values[key]; return there })
		if has && !there {
			values[spellings[0]] = value
			added = append(added, spellings[0])
		}
	}
	for key, size := range map[string]int{"vocab_size": n.vocab, "hidden_size": n.hidden, "intermediate_size": n.inner, "num_hidden_layers": n.layers,
		"num_attention_heads": n.heads, "num_key_value_heads": n.kvHeads, "head_dim": n.headDim, "max_position_embeddings": n.context} {
		add(key, jsonNumber(size), size > 0)
	}
	for key, x := range map[string]float64{"rms_norm_eps": n.eps, "rope_theta": n.theta} {
		add(key, json.Number(strconv.FormatFloat(x, 'g', -1, 64)), x > 0)
	}
	for key, value := range textExtras[kind] {
		add(key, value, true)
	}
	return added
}
