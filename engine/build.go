package engine

import "fmt"

// Described is a model's files with their meaning: the Spec, the configuration it follows from, and the tensors under the Spec's names.
type Described struct {
	Spec   *Spec
	Config *Config
	Source Source
}

// Describe finds out what model some files hold, and holds its Spec against the stored tensors.
func Describe(f *Files) (*Described, error) {
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
	spec, err := BuildSpec(config, f.Source)
	if err != nil {
		return nil, fmt.Errorf("%w (model %s)", err, f.Path)
	}
	return &Described{spec, config, f.Source}, nil
}

// BuildSpec turns a configuration into a Spec and holds it against the stored tensors.
func BuildSpec(config *Config, source Source) (*Spec, error) {
	text, err := textOf(config, source)
	if err != nil {
		return nil, err
	}
	family, err := ArchitectureOf(text.config)
	if err != nil {
		return nil, err
	}
	b := &Builder{Config: text.config, source: text.source}
	if b.bound(); config.Err() != nil {
		return nil, config.Err()
	}
	spec := family.Build(b)
	if err := config.Err(); err != nil {
		return nil, err
	}
	spec.Family, spec.Within = text.config.StringOr("model_type", ""), text.within
	if view, wrapped := text.source.(textSource); wrapped {
		view.rename(spec)
	}
	if err := spec.check(source, text.source.Names()); err != nil {
		return nil, err
	}
	return spec, nil
}

