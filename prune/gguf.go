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

// linearKey says in the place of which attentions, among those dropped, a written file has linear maps.
const linearKey = "avssnative.linear"

// writeGGUF copies the kept blocks of a GGUF file untouched and cuts what its metadata says per block. Blocks behind the last layer, which
// predict further tokens, are kept.
func writeGGUF(ctx context.Context, m *engine.Model, h *halving, path string) error {
	stay := h.drop.Without(m.Layers())
	file, metadata, sources, err := shorten(m, stay)
	if err != nil {
		return err
	}
	defer file.Close()
	metadata = slices.DeleteFunc(metadata, func(entry gguf.KV) bool { return entry.Key == droppedKey || entry.Key == linearKey })
	metadata = append(metadata, gguf.KV{Key: droppedKey, Value: h.drop.String()})
	if sources, err = replaced(m, file, sources, stay, h.with); err != nil {
		return err
	}
	if len(h.out)+len(h.linear) > 0 {
		if metadata, sources, err = h.deci(m, file, metadata, sources); err != nil {
			return err
		}
	}
	return gguf.Write(ctx, path, metadata, sources)
}

// replaced puts repaired tensors in the place of those that they replace. A tensor of which a name shows some rows alone is patched.
func replaced(m *engine.Model, file *gguf.File, sources []gguf.Source, stay []int, repair *engine.Repair) ([]gguf.Source, error) {
	views, ours := m.Tensors.(interface {
		Origin(name string) (gguf.Tensor, bool)
	})
	patched := map[string][]byte{}
	for _, name := range repair.Names() {
		now := repair.Stored(name)
		if !ours {
			return nil, fmt.Errorf("%s: repaired, and no tensor of a GGUF file", name)
		}
		view, found := views.Origin(name)
		whole, there := file.Lookup(view.Name)
		if !found || !there || len(now.Data) != len(view.Data) || string(now.Type) != view.Type.String() {
			return nil, fmt.Errorf("%s: repaired as %s of %d bytes, which has no place in the file", name, now.Type, len(now.Data))
		}
		if patched[view.Name] == nil {
			patched[view.Name] = slices.Clone(whole.Data)
		}
		copy(patched[view.Name][view.Offset-whole.Offset:], now.Data)
	}
	for was, data := range patched {
		name := was
		var block int
		var rest string
		if n, _ := fmt.Sscanf(was, "blk.%d.%s", &block, &rest); n == 2 {
			name = fmt.Sprintf("blk.%d.%s", slices.Index(stay, block), rest)
		}
		at := slices.IndexFunc(sources, func(s gguf.Source) bool { return s.Name == name })
		if at < 0 {
			return nil, fmt.Errorf("tensor %s: repaired, and not among those that stay", was)
		}
		sources[at] = gguf.Bytes(name, sources[at].Type, sources[at].Shape, data)
	}
	return sources, nil
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
