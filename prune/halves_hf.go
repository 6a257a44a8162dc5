package prune

import (
	_ "embed"
	"path/filepath"
	"slices"

	"avssnative/engine"
	"avssnative/engine/arch"
	"avssnative/internal/mapped"
)

// Layers with one half in a folder: model_type nemotron-nas, whose block_configs say no_op of what a layer lacks. Neither transformers nor vLLM
// has its configuration, which therefore lies beside the weights as code of this project, with a model for transformers.

//go:embed halves/configuration_decilm.py
var configurationCode []byte

//go:embed halves/modeling_decilm.py
var modelingCode []byte

// nemotronNAS turns a Llama's configuration, already of the layers that stay, into one of layers that lack halves, and puts the code that goes
// with it into the folder. A model that is of the family already has both.
func (h *halving) nemotronNAS(m *engine.Model, config map[string]any, dir string) error {
	stay := h.drop.Without(m.Layers())
	if m.Spec.Family != arch.NemotronNAS {
		var blocks []any
		for _, l := range stay {
			a, g := m.Spec.Blocks[l].Mixer.(*arch.AttentionSpec), m.Spec.Blocks[l].MLP.(*arch.GatedSpec)
			blocks = append(blocks, map[string]any{
				"attention": map[string]any{"no_op": false, "n_heads_in_group": a.Heads / a.KVHeads, "replace_with_linear": false},
				"ffn":       map[string]any{"no_op": false, "intermediate_size": g.Down.Weight.In, "replace_with_linear": false},
			})
		}
		config["model_type"], config["architectures"], config["block_configs"] = arch.NemotronNAS, []any{"DeciLMForCausalLM"}, blocks
		config["auto_map"] = map[string]any{"AutoConfig": "configuration_decilm.DeciLMConfig", "AutoModelForCausalLM": "modeling_decilm.DeciLMForCausalLM"}
		if err := mapped.WriteBytes(filepath.Join(dir, "configuration_decilm.py"), configurationCode); err != nil {
			return err
		}
		if err := mapped.WriteBytes(filepath.Join(dir, "modeling_decilm.py"), modelingCode); err != nil {
			return err
		}
	}
	blocks := config["block_configs"].([]any)
	for _, u := range h.out {
		half, size := "attention", "n_heads_in_group"
		if u.Part == engine.MLP {
			half, size = "ffn", "intermediate_size"
		}
		entry := blocks[slices.Index(stay, u.Layer)].(map[string]any)[half].(map[string]any)
		entry["no_op"], entry["replace_with_linear"], entry[size] = true, false, nil
	}
	return nil
}
