package prune

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"slices"

	"avssnative/engine"
	"avssnative/internal/mapped"
	"avssnative/internal/safetensors"
)

// writeHF writes a folder as transformers loads it: kept tensors renumbered and copied byte for byte, or as repaired, the configuration's layer count and
// per-layer lists cut, tokenizer and generation files copied, and a model card.
func writeHF(ctx context.Context, m *engine.Model, h *halving, dir string, o Options) error {
	if err := os.Mkdir(dir, 0o755); err != nil {
		return err
	}
	stay := h.drop.Without(m.Layers())
	config, err := m.ShortConfig(stay)
	if err != nil {
		return err
	}
	if len(h.out) > 0 {
		if err := h.nemotronNAS(m, config, dir); err != nil {
			return err
		}
	}
	if err := writeJSON(filepath.Join(dir, "config.json"), config); err != nil {
		return err
	}
	card := o.Card
	notice := func(format string, values ...any) {
		o.notice(format, values...)
		card.warn(format, values...)
	}
	if err := copyCompanions(ctx, m.Folder, dir, notice); err != nil {
		return err
	}
	var sources []safetensors.Source
	gone := h.gone(m)
	for _, name := range m.Tensors.Names() {
		to, stays := m.Spec.Renumber(name, stay)
		if !stays || slices.Contains(gone, name) {
			continue
		}
		stored, _ := m.Repaired(h.with).Tensors.Lookup(name)
		shape := make([]int64, len(stored.Shape))
		for i, n := range stored.Shape {
			shape[i] = int64(n)
		}
		source := safetensors.Bytes(to, string(stored.Type), shape, stored.Data)
		write := source.Stream
		source.Stream = func(w io.Writer) error {
			defer m.Tensors.Discard([]string{name}) // what has been written need not stay mapped
			return write(w)
		}
		sources = append(sources, source)
	}
	if _, err := safetensors.Write(ctx, dir, sources, map[string]string{"format": "pt"}, o.Shard); err != nil {
		return err
	}
	h.tell(FormatHF, card.warn)
	card.complete(m, h)
	card.Repaired = len(o.Repair.Names())
	return mapped.Write(filepath.Join(dir, "README.md"), card.render)
}

// writeJSON writes a value as transformers does: two spaces, sorted keys.
func writeJSON(path string, value any) error {
	var text bytes.Buffer
	e := json.NewEncoder(&text)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(value); err != nil {
		return err
	}
	return mapped.WriteBytes(path, text.Bytes())
}
