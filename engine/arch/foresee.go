package arch

import (
	"fmt"
	"slices"

	"avssnative/engine/device"
	"avssnative/engine/weights"
)

// Without stored tensors to count, these bound what is believed of a configuration.
const foreseenLayers, foreseenExperts = 1 << 10, 1 << 17

// Foresee is what a configuration says alone, before there are weights: the Spec, and tensors that have names, types and shapes. Their bytes are
// zeros that take no memory; many share them. What files could hold or leave out as they like, they leave out.
func Foresee(data []byte) (*Described, error) {
	config, err := ParseConfig(data)
	if err != nil {
		return nil, err
	}
	// How weights are packed on disk does not change the model's shape; they are counted in the type that the model computes in.
	delete(config.values, "quantization_config")
	text, err := textOf(config, &foreseen{})
	if err != nil {
		return nil, err
	}
	family, err := Of(text.config)
	if err != nil {
		return nil, err
	}
	b := &Builder{Config: text.config, tensors: &foreseen{}}
	if b.bound(foreseenLayers); config.Err() != nil {
		return nil, config.Err()
	}
	for _, layers := range layerCounts {
		for _, experts := range []string{"num_experts", "num_local_experts", "n_routed_experts"} {
			if n := int64(b.IntOr(layers, 0)) * int64(b.IntOr(experts, 0)); n > foreseenExperts {
				return nil, fmt.Errorf("config.json: %s and %s: %d experts in all, at most %d are believed without their weights", layers, experts, n, foreseenExperts)
			}
		}
	}
	spec := family.Build(b)
	if err := config.Err(); err != nil {
		return nil, err
	}
	spec.Family = text.config.StringOr("model_type", "")
	types := map[string]device.DType{"float32": device.F32, "float16": device.F16, "bfloat16": device.BF16}
	name := text.config.StringOr("torch_dtype|dtype", config.StringOr("torch_dtype|dtype", "bfloat16"))
	kind, known := types[name]
	if !known {
		return nil, fmt.Errorf("config.json: torch_dtype: %q is not known here; known: bfloat16, float16, float32", name)
	}
	tensors := &foreseen{byName: map[string]weights.Stored{}}
	largest := 0
	spec.Refs(func(r *Ref) {
		for _, name := range append([]string{r.Name}, r.Joined...) {
			if _, there := tensors.byName[name]; there {
				continue
			}
			count := 1
			for _, n := range r.Shape {
				count *= n
			}
			_, size, _ := kind.Block()
			largest = max(largest, count*size)
			tensors.names = append(tensors.names, name)
			tensors.byName[name] = weights.Stored{Name: name, Type: kind, Shape: slices.Clone(r.Shape), Data: nil}
		}
	})
	if tensors.zeros, err = weights.Zeros(largest); err != nil {
		return nil, err
	}
	_, size, _ := kind.Block()
	for name, stored := range tensors.byName {
		count := size
		for _, n := range stored.Shape {
			count *= n
		}
		stored.Data = tensors.zeros.Bytes()[:count:count]
		tensors.byName[name] = stored
	}
	return &Described{spec, config, tensors}, nil
}

// foreseen are tensors that are nowhere.
type foreseen struct {
	names  []string
	byName map[string]weights.Stored
	zeros  *weights.Nothing
}

func (f *foreseen) Lookup(name string) (weights.Stored, bool) {
	s, found := f.byName[name]
	return s, found
}

func (f *foreseen) Names() []string   { return f.names }
func (f *foreseen) Prefetch([]string) {}
func (f *foreseen) Discard([]string)  {}
func (f *foreseen) Check() error      { return nil }
func (f *foreseen) Close() error      { return f.zeros.Close() }
