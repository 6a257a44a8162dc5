package engine

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"avssnative/engine/arch"
)

// Foresee opens a model of which there need be no weights, for the device "null": a config.json, or a folder that holds nothing else of it. A
// model whose weights are there is opened as Open does.
func Foresee(ctx context.Context, ref string, o Options) (*Model, error) {
	path := ref
	if info, err := os.Stat(ref); err == nil && info.IsDir() {
		path = filepath.Join(ref, "config.json")
		for _, pattern := range []string{"*.safetensors", "*.gguf"} {
			if found, _ := filepath.Glob(filepath.Join(ref, pattern)); len(found) > 0 {
				return Open(ctx, ref, o)
			}
		}
	}
	if filepath.Ext(path) != ".json" {
		return Open(ctx, ref, o)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("engine: %w", err)
	}
	described, err := arch.Foresee(data)
	if err != nil {
		return nil, fmt.Errorf("engine: %s: %w", path, err)
	}
	return &Model{Ref: ref, Folder: filepath.Dir(path), Spec: described.Spec, Config: described.Config, Tensors: described.Tensors, options: o}, nil
}
