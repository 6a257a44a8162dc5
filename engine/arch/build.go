package arch

import (
	"fmt"

	"avssnative/engine/weights"
)

// Described is a model's files with their meaning: the Spec, the configuration it follows from, and the tensors under the Spec's names.
type Described struct {
	Spec    *Spec
	Config  *Config
	Tensors weights.Tensors
}

// Describe finds out what model some files hold, and holds its Spec against the stored tensors.
func Describe(f *weights.Files) (*Described, error) {
	if f.GGUF != nil {
		d, err := describeGGUF(f.GGUF)
		if err != nil {
			return nil, fmt.Errorf("arch: model %s: %w", f.Path, err)
		}
		return d, nil
	}
	config, err := ParseConfig(f.Config)
	if err != nil {
		return nil, fmt.Errorf("arch: model %s: %w", f.Path, err)
	}
	spec, err := Build(config, f.Tensors)
	if err != nil {
		return nil, fmt.Errorf("arch: model %s: %w", f.Path, err)
	}
	return &Described{spec, config, f.Tensors}, nil
}

// BuildSpec turns a configuration into a Spec and holds it against the stored tensors.
func Build(config *Config, source weights.Tensors) (*Spec, error) {
	text, err := textOf(config, source)
	if err != nil {
		return nil, err
	}
	family, err := Of(text.config)
	if err != nil {
		return nil, err
	}
	b := &Builder{Config: text.config, tensors: text.tensors}
	// A layer has at least one stored tensor.
	if b.bound(len(text.tensors.Names())); config.Err() != nil {
		return nil, config.Err()
	}
	spec := family.Build(b)
	if err := config.Err(); err != nil {
		return nil, err
	}
	spec.Family, spec.Within = text.config.StringOr("model_type", ""), text.within
	if view, wrapped := text.tensors.(textTensors); wrapped {
		view.rename(spec)
	}
	if err := spec.check(source, text.tensors.Names()); err != nil {
		return nil, err
	}
	return spec, nil
}
