package arch_test

import (
	"fmt"
	"log"

	"avssnative/engine/arch"
)

// A configuration says what a model will be before there are weights.
func ExampleForesee() {
	described, err := arch.Foresee([]byte(`{"model_type": "llama", "vocab_size": 32000, "hidden_size": 2048, "intermediate_size": 5632,
		"num_hidden_layers": 22, "num_attention_heads": 32, "num_key_value_heads": 4, "max_position_embeddings": 2048, "rms_norm_eps": 1e-5}`))
	if err != nil {
		log.Fatal(err)
	}
	spec := described.Spec
	fmt.Println(spec.Family, len(spec.Blocks), spec.Hidden, spec.Context)
	layer, rest, _ := spec.BlockOf("model.layers.21.mlp.up_proj.weight")
	fmt.Println(layer, rest)
	// Output:
	// llama 22 2048 2048
	// 21 mlp.up_proj.weight
}
