package prune

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"avssnative/engine"
	"avssnative/internal/gguf"
)

// droppedKey says in a written file which layers of its model were left out. By it Write knows its own files again.
const droppedKey = "avssnative.dropped"

// writeGGUF copies the kept blocks of a GGUF file untouched and cuts what its metadata says per block. Blocks behind the last layer, which
// predict further tokens, are kept.
func writeGGUF(ctx context.Context, m *engine.Model, drop engine.Drop, path string) error {
	file, metadata, sources, err := shorten(m, drop.Without(m.Layers()))
	if err != nil {
		return err
	}
	defer file.Close()
	metadata = slices.DeleteFunc(metadata, func(entry gguf.KV) bool { return entry.Key == droppedKey })
	metadata = append(metadata, gguf.KV{Key: droppedKey, Value: drop.String()})
	return gguf.Write(ctx, path, metadata, sources)
}

// shorten is what a file without some blocks consists of. The file must be closed after.
func shorten(m *engine.Model, stay []int) (*gguf.File, []gguf.KV, []gguf.Source, error) {
	file, err := gguf.Open(m.File)
	if err != nil {
		return nil, nil, nil, err
	}
	stay = slices.Clone(stay)
	for i := range m.Spec.Unused {
		stay = append(stay, m.Layers()+i)
	}
	metadata, sources, err := gguf.DropBlocks(file, stay)
	if err != nil {
		return nil, nil, nil, errors.Join(err, file.Close())
	}
	return file, metadata, sources, nil
}

// formerGGUF returns why a file is none that Write wrote.
func formerGGUF(path string) error {
	file, err := gguf.Open(path)
	if err != nil {
		return fmt.Errorf("no GGUF file: %s", strings.TrimPrefix(err.Error(), "gguf: "))
	}
	defer file.Close()
	if !slices.ContainsFunc(file.Metadata(), func(entry gguf.KV) bool { return entry.Key == droppedKey }) {
		return fmt.Errorf("a GGUF file from elsewhere (it has no %s)", droppedKey)
	}
	return nil
}
