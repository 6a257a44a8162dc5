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
	for _, place := range []map[string]any{all, config} {
		if err := s.shortenQuantisation(place, kept); err != nil {
			return nil, err
		}
		if s.Within == "" {
			break
		}
	}
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
		list, ok := config[key].([]any)
		if ok && (len(list) == layers || len(list) == layers+s.Unused) {
			config[key] = append(KeepOnly(list, kept), list[layers:]...)
		}
	}
	for _, key := range added {
		if !slices.Contains(layerCounts, key) {
			delete(config, key)
		}
	}
	return all, nil
}

// Untie makes a configuration say, wherever releases of transformers look, that the head is no copy of the embedding table.
func (s *Spec) Untie(config map[string]any) {
	config["tie_word_embeddings"] = false
	if inside, ok := config[s.Within].(map[string]any); ok {
		inside["tie_word_embeddings"] = false
	}
}

// Renumber gives a tensor's name where only the layers kept (ascending) remain, and false if it goes with its layer. Layers that predict
// further tokens follow the last that stays.
func (s *Spec) Renumber(name string, kept []int) (string, bool) {
	layer, rest, inside := s.BlockOf(name)
	if !inside {
		return name, true
	}
	at := slices.Index(kept, layer)
	if behind := layer - len(s.Blocks); behind >= 0 {
		at = len(kept) + behind
	}
	if at < 0 {
		return "", false
	}
	return strings.Replace(s.BlockPrefix, "%d", strconv.Itoa(at), 1) + rest, true
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
