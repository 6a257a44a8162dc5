package arch

import (
	"fmt"

	"avssnative/engine/weights"
	"avssnative/failure"
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
			return nil, failure.Corrupt.Unless(fmt.Errorf("arch: model %s: %w", f.Path, err))
		}
		return d, nil
	}
	config, err := ParseConfig(f.Config)
	if err != nil {
		return nil, failure.Corrupt.Unless(fmt.Errorf("arch: model %s: %w", f.Path, err))
	}
	tensors := f.Tensors
	if method, block := config.quantisation(); scaledMethods[method] {
		tensors = weights.Scaled{Tensors: tensors, Block: block}
	}
	spec, err := Build(config, tensors)
	if err != nil {
		return nil, failure.Corrupt.Unless(fmt.Errorf("arch: model %s: %w", f.Path, err))
	}
	return &Described{spec, config, tensors}, nil
}

// Build turns a configuration into a Spec and holds it against the stored tensors. Where a quantised model's tensors are not those that the
// Spec computes with, it may still be one whose layers can be told apart.
func Build(config *Config, source weights.Tensors) (*Spec, error) {
	spec, err := build(config, source, "")
	method, _ := config.quantisation()
	if err == nil || method == "" || config.Err() != nil {
		return spec, err
	}
	return build(config, packed{source}, method)
}

func build(config *Config, source weights.Tensors, copied string) (*Spec, error) {
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
	spec.Family, spec.Within, spec.Head.Untied = text.config.StringOr("model_type", ""), text.within, b.untied
	spec.Unused = max(spec.Unused, b.furtherOr(0))
	if err := config.Err(); err != nil {
		return nil, err
	}
	if view, wrapped := text.tensors.(textTensors); wrapped {
		view.rename(spec)
	}
	if spec.Copied = copied; copied != "" {
		err = spec.checkCopied(text.tensors.Names())
	} else {
		err = spec.check(source, text.tensors.Names())
	}
	if err != nil {
		return nil, err
	}
	return spec, nil
}
