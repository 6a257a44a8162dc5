package arch

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"
)

// layerCounts are the keys under which configurations keep the number of layers.
var layerCounts = []string{"num_hidden_layers", "n_layer", "n_layers", "num_layers"}

// layerLists are the keys of lists with one entry a layer.
var layerLists = []string{"layer_types", "no_rope_layers", "mlp_layer_types", "attention_layers"}

// Short is a model's configuration when only the kept layers (ascending) remain: the layer count, every per-layer list, and what the
// family's own rules say, all of them where the language model is described.
func (s *Spec) Short(c *Config, kept []int) (map[string]any, error) {
	all := c.copy()
	config, added := all, []string(nil)
	if inside, ok := all[s.Within].(map[string]any); ok {
		config, added = inside, addDefaults(inside, c.textKind())
	}
	layers := len(s.Blocks)
	if family := architectures[s.Family]; family.Drop != nil {
		if err := family.Drop(config, layers, kept); err != nil {
			return nil, err
		}
	}
	for _, key := range layerCounts {
		if config[key] != nil {
			config[key] = len(kept)
		}
	}
	for _, key := range layerLists {
		if list, ok := config[key].([]any); ok && len(list) == layers {
			config[key] = KeepOnly(list, kept)
		}
	}
	for _, key := range added {
		if !slices.Contains(layerCounts, key) {
			delete(config, key)
		}
	}
	return all, nil
}

// KeepOnly is the part of a per-layer list that belongs to the kept layers.
func KeepOnly(list []any, kept []int) []any {
	var short []any
	for _, layer := range kept {
		short = append(short, list[layer])
	}
	return short
}

// copy is a deep copy of the configuration's values.
func (c *Config) copy() map[string]any {
	text, err := json.Marshal(c.values)
	if err != nil {
		panic("arch: a parsed configuration does not marshal: " + err.Error())
	}
	again, err := ParseConfig(text)
	if err != nil {
		panic("arch: a marshalled configuration does not parse: " + err.Error())
	}
	return again.values
}

// BlockOf takes a tensor's name apart: the layer it belongs to and what follows the layer's prefix. inside is false for tensors of no layer.
func (s *Spec) BlockOf(name string) (layer int, rest string, inside bool) {
	before, after, _ := strings.Cut(s.BlockPrefix, "%d")
	digits, found := strings.CutPrefix(name, before)
	if !found {
		return 0, "", false
	}
	number, rest, found := strings.Cut(digits, after)
	layer, err := strconv.Atoi(number)
	if !found || err != nil || layer < 0 {
		return 0, "", false
	}
	return layer, rest, true
}
