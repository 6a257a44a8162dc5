package job

import (
	"path/filepath"
	"strings"

	"avssnative/engine"
	"avssnative/internal/gguf"
)

// nameOf is what a person calls a model: the name that it was asked for by in a cache, the one that a GGUF file gives itself, else its file's or
// folder's. A path says more of somebody's disk than of the model.
func nameOf(m *engine.Model, ref string) string {
	if m.Path() != ref {
		return ref
	}
	if m.File != "" {
		if f, err := gguf.Open(m.File); err == nil {
			name, _, err := gguf.Get[string](f, "general.name")
			f.Close()
			if name = strings.TrimSpace(name); err == nil && name != "" {
				return name
			}
		}
	}
	path, err := filepath.Abs(m.Path())
	if err != nil {
		path = m.Path()
	}
	return strings.TrimSuffix(filepath.Base(path), ".gguf")
}
