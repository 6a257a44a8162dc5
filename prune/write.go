// Package prune chooses the layers that go and writes the smaller model.
package prune

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"avssnative/engine"
)

// Format is how a smaller model is written.
type Format string

const (
	FormatHF       Format = "hf"       // a folder with config.json and safetensors, as transformers loads it
	FormatGGUF     Format = "gguf"     // a .gguf file, from a model that is one
	FormatMergekit Format = "mergekit" // a mergekit configuration that makes the model elsewhere
)

// ParseFormat reads a format's name.
func ParseFormat(name string) (Format, error) {
	known := []Format{FormatHF, FormatGGUF, FormatMergekit}
	if slices.Contains(known, Format(name)) {
		return Format(name), nil
	}
	return "", fmt.Errorf("prune: format %q: unknown; known: hf, gguf, mergekit", name)
}

// Options say how to write. The zero value writes what the model itself is.
type Options struct {
	Format Format // "": hf for a folder, gguf for a .gguf file
	Force  bool   // replace what stands at the place of the output
	Card   Card   // what the model card says
	Shard  int64  // bytes a safetensors file holds at most; 0: 5 GB
}

// Write writes the model without the dropped layers to path: a folder (hf) or a file (gguf, mergekit). It appears whole, after the
// written model has been opened again and has computed the very logits that the pass without those layers computes; or not at all.
func Write(ctx context.Context, m *engine.Model, drop engine.Drop, path string, o Options) error {
	if len(drop) == 0 {
		return errors.New("prune: nothing to drop: the smaller model would be the model")
	}
	if o.Format == "" {
		o.Format = FormatHF
		if m.File != "" {
			o.Format = FormatGGUF
		}
	}
	if err := free(path, o.Force); err != nil {
		return err
	}
	parent := filepath.Dir(filepath.Clean(path))
	if err := os.MkdirAll(parent, 0o755); err != nil {
		return fmt.Errorf("prune: %s: %w", path, err)
	}
	work, err := os.MkdirTemp(parent, "."+filepath.Base(path)+".incomplete-")
	if err != nil {
		return fmt.Errorf("prune: %s: %w", path, err)
	}
	defer os.RemoveAll(work)
	made := filepath.Join(work, filepath.Base(path))
	switch o.Format {
	case FormatHF:
		err = writeHF(ctx, m, drop, made, o)
	case FormatGGUF:
		err = writeGGUF(ctx, m, drop, made)
	case FormatMergekit:
		err = writeMergekit(m, drop, made)
	default:
		_, err = ParseFormat(string(o.Format))
	}
	if err == nil && o.Format != FormatMergekit {
		err = verify(ctx, m, drop, made)
	}
	if changed := m.Check(); changed != nil {
		err = changed
	}
	if err != nil {
		return fmt.Errorf("prune: %s: nothing was written: %w", path, err)
	}
	return put(made, path, work)
}

// free makes sure that nothing stands at path, or that it may be replaced.
func free(path string, force bool) error {
	_, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return fmt.Errorf("prune: %s: %w", path, err)
	case !force:
		return fmt.Errorf("prune: %s: exists already; choose another name or add --force to replace it", path)
	}
	return nil
}

// put moves what was made to its final name. What stood there is kept until the new one is in place.
func put(made, path, work string) error {
	old := filepath.Join(work, "replaced")
	err := os.Rename(path, old)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("prune: %s: %w", path, err)
	}
	replaced := err == nil
	if err := os.Rename(made, path); err != nil {
		if replaced {
			err = errors.Join(err, os.Rename(old, path))
		}
		return fmt.Errorf("prune: %s: %w", path, err)
	}
	return nil
}
