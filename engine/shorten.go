package engine

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// layerCounts are the keys under which configurations keep the number of layers.
var layerCounts = []string{"num_hidden_layers", "n_layer", "n_layers", "num_layers"}

// layerLists are the keys of lists with one entry a layer.
var layerLists = []string{"layer_types", "no_rope_layers", "mlp_layer_types", "attention_layers"}

// ShortConfig is the model's configuration when only the layers in stay (ascending) remain: the layer count, every per-layer list, and what
// the family's own rules say, all of them where the language model is described.
func (m *Model) ShortConfig(stay []int) (map[string]any, error) {
	whole := m.Config.copy()
	config, added := whole, []string(nil)
	if inside, ok := whole[m.Spec.Within].(map[string]any); ok {
		config, added = inside, addDefaults(inside, m.Config.textKind())
	}
	layers := m.Layers()
	if family := architectures[m.Spec.Family]; family.Drop != nil {
		if err := family.Drop(config, layers, stay); err != nil {
			return nil, err
		}
	}
	for _, key := range layerCounts {
		if config[key] != nil {
			config[key] = len(stay)
		}
	}
	for _, key := range layerLists {
		if list, ok := config[key].([]any); ok && len(list) == layers {
			config[key] = KeepOnly(list, stay)
		}
	}
	for _, key := range added {
		if !slices.Contains(layerCounts, key) {
			delete(config, key)
		}
	}
	return whole, nil
}

// KeepOnly is the part of a per-layer list that belongs to the layers that stay.
func KeepOnly(list []any, stay []int) []any {
	var short []any
	for _, layer := range stay {
		short = append(short, list[layer])
	}
	return short
}

// copy is a deep copy of the configuration's values.
func (c *Config) copy() map[string]any {
	text, err := json.Marshal(c.values)
	if err != nil {
		panic("engine: a parsed configuration does not marshal: " + err.Error())
	}
	again, err := ParseConfig(text)
	if err != nil {
		panic("engine: a marshalled configuration does not parse: " + err.Error())
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

// Size counts parameters and bytes of the stored tensors, of the whole model or without the layers dropped.
func (m *Model) Size(drop Drop) (parameters, bytes int64) {
	for _, name := range m.Source.Names() {
		if layer, _, inside := m.Spec.BlockOf(name); inside && slices.Contains(drop, layer) {
			continue
		}
		stored, _ := m.Source.Lookup(name)
		count := int64(1)
		for _, n := range stored.Shape {
			count *= int64(n)
		}
		parameters += count
		bytes += int64(len(stored.Data))
	}
	return parameters, bytes
}

// Sibling opens another model with the options of this one.
func (m *Model) Sibling(ctx context.Context, ref string) (*Model, error) {
	s, err := Open(ctx, ref, m.options)
	if err != nil {
		return nil, fmt.Errorf("%w (opened like %s)", err, m.Ref)
	}
	return s, nil
}
