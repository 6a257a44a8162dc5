package prune

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"avssnative/engine"
	"avssnative/internal/mapped"
	"avssnative/internal/safetensors"
)

// companions are the files beside the weights that the smaller model needs as they are. Patterns of filepath.Match.
var companions = []string{"generation_config.json", "tokenizer*", "special_tokens_map.json", "added_tokens.json", "vocab*", "merges.txt",
	"*.tiktoken", "spiece.model", "sentencepiece*", "chat_template*", "*processor_config.json", "tekken.json", "LICENSE*", "NOTICE*", "configuration_*.py", "modeling_*.py", "tokenization_*.py"}

// writeHF writes a folder as transformers loads it: kept tensors renumbered and copied byte for byte, the configuration's layer count and
// per-layer lists cut, tokenizer and generation files copied, and a model card.
func writeHF(ctx context.Context, m *engine.Model, drop engine.Drop, dir string, o Options) error {
	if m.Folder == "" {
		return fmt.Errorf("%s is no folder of safetensors; use --format gguf", m.Ref)
	}
	if err := os.Mkdir(dir, 0o755); err != nil {
		return err
	}
	stay := drop.Without(m.Layers())
	config, err := m.ShortConfig(stay)
	if err != nil {
		return err
	}
	if err := writeJSON(filepath.Join(dir, "config.json"), config); err != nil {
		return err
	}
	if err := copyCompanions(m.Folder, dir); err != nil {
		return err
	}
	var sources []safetensors.Source
	for _, name := range m.Tensors.Names() {
		to, stays := m.Spec.Renumber(name, stay)
		if !stays {
			continue
		}
		stored, _ := m.Tensors.Lookup(name)
		shape := make([]int64, len(stored.Shape))
		for i, n := range stored.Shape {
			shape[i] = int64(n)
		}
		sources = append(sources, safetensors.Bytes(to, string(stored.Type), shape, stored.Data))
	}
	if _, err := safetensors.Write(ctx, dir, sources, map[string]string{"format": "pt"}, o.Shard); err != nil {
		return err
	}
	card := o.Card
	card.complete(m, drop)
	return mapped.Write(filepath.Join(dir, "README.md"), card.render)
}

// copyCompanions copies the tokenizer and its kin. The card is written anew, so README is not among them.
func copyCompanions(from, to string) error {
	entries, err := os.ReadDir(from)
	if err != nil {
		return err
	}
	for _, entry := range entries {
		for _, pattern := range companions {
			if match, _ := filepath.Match(pattern, entry.Name()); !match {
				continue
			}
			data, err := os.ReadFile(filepath.Join(from, entry.Name()))
			if errors.Is(err, fs.ErrNotExist) || err == nil && strings.HasSuffix(entry.Name(), ".safetensors") {
				break
			}
			if err == nil {
				err = mapped.Write(filepath.Join(to, entry.Name()), writes(data))
			}
			if err != nil {
				return err
			}
			break
		}
	}
	return nil
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
	return mapped.Write(path, writes(text.Bytes()))
}
