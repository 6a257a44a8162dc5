package prune

import (
	"context"
	"fmt"

	"avssnative/engine"
	"avssnative/internal/gguf"
)

// writeGGUF copies the kept blocks of a GGUF file untouched and cuts what its metadata says per block. Blocks behind the last layer, which
// predict further tokens, are kept.
func writeGGUF(ctx context.Context, m *engine.Model, drop engine.Drop, path string) error {
	if m.File == "" {
		return fmt.Errorf("%s is no .gguf file; use --format hf", m.Ref)
	}
	file, err := gguf.Open(m.File)
	if err != nil {
		return err
	}
	defer file.Close()
	kept := drop.Without(m.Layers())
	for i := range m.Spec.Unused {
		kept = append(kept, m.Layers()+i)
	}
	metadata, sources, err := gguf.DropBlocks(file, kept)
	if err != nil {
		return err
	}
	return gguf.Write(ctx, path, metadata, sources)
}
