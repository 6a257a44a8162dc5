// Package prune chooses the layers that go and writes the pruned model.
package prune

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"avssnative/engine"
)

// Format is how a pruned model is written.
type Format string

const (
	FormatHF       Format = "hf"       // a folder with config.json and safetensors, as transformers loads it
	FormatGGUF     Format = "gguf"     // a .gguf file, from a model that is one
	FormatMergekit Format = "mergekit" // a mergekit configuration that makes the model elsewhere, from a folder
)

// formats are all there are.
var formats = []Format{FormatHF, FormatGGUF, FormatMergekit}

// ParseFormat reads a format's name.
func ParseFormat(name string) (Format, error) {
	if slices.Contains(formats, Format(name)) {
		return Format(name), nil
	}
	return "", &Refused{AskedFormat, fmt.Sprintf("%q", name), "unknown; known: hf, gguf, mergekit"}
}

// FormatOf is the format that a model is written in where none is asked for: what it is itself. One that is asked for and that this model
// cannot be written in is a *Refused.
func FormatOf(m *engine.Model, asked Format) (Format, error) {
	refuse := func(why string) (Format, error) { return "", &Refused{AskedFormat, string(asked), m.Ref + " " + why} }
	switch asked {
	case "":
		if m.File != "" {
			return FormatGGUF, nil
		}
		return FormatHF, nil
	case FormatHF, FormatMergekit:
		if m.Folder == "" {
			return refuse("is no folder of safetensors: it can be written as gguf")
		}
	case FormatGGUF:
		if m.File == "" {
			return refuse("is no .gguf file: it can be written as hf or mergekit")
		}
	default:
		return ParseFormat(string(asked))
	}
	return asked, nil
}

// Options say how to write. The zero value writes what the model itself is.
type Options struct {
	Format  Format            // "": hf for a folder, gguf for a .gguf file
	Force   bool              // what Write wrote at the place before may be replaced; nothing else ever is
	Reading []string          // files and folders that stay whatever Force says, beside the model
	Card    Card              // what the model card says
	Repair  *engine.Repair    // what stays is written with these tensors, and attentions that go as the linear maps it has; nil: as it is
	Linear  bool              // Check is to say whether linear maps in the place of attentions could be written; Repair then has them
	Shard   int64             // bytes a safetensors file holds at most; 0: 5 GB
	Notice  func(text string) // told what was left out or is left to do, a sentence each; may be nil
}

// Check returns why Write could not write: a *Refused for the format or what it cannot say of the layers that stay, or the error of the place,
// which wraps fs.ErrExist where something stands there. Without layers to drop it looks at format and place alone.
func Check(m *engine.Model, drop engine.Drop, path string, o Options) error {
	format, err := FormatOf(m, o.Format)
	if err != nil {
		return err
	}
	if err := format.names(path); err != nil {
		return err
	}
	if o.Linear {
		if err := format.carriesLinear(m); err != nil {
			return &Refused{AskedFormat, string(format), err.Error()}
		}
	}
	if len(drop) > 0 {
		if err := format.says(m, drop); err != nil {
			return &Refused{AskedRule, drop.String(), err.Error()}
		}
	}
	if err := format.place(m, path, o).Check(); err != nil {
		return fmt.Errorf("prune: %w", err)
	}
	return nil
}

// names returns why an output of the format cannot have a name.
func (f Format) names(path string) error {
	if f == FormatGGUF && !strings.EqualFold(filepath.Ext(path), ".gguf") {
		return &Refused{AskedFormat, string(f), path + ": the name of such a file ends in .gguf, by which programs know it"}
	}
	return nil
}

// says returns why a format cannot say which layers stay.
func (f Format) says(m *engine.Model, drop engine.Drop) error {
	h, err := f.halve(m, drop, nil)
	if err != nil {
		return err
	}
	stay := h.drop.Without(m.Layers())
	if f == FormatGGUF {
		file, _, _, err := shorten(m, stay)
		if err == nil {
			err = file.Close()
		}
		return err
	}
	_, err = m.Spec.Short(m.Config, stay)
	return err
}

// Writable returns why no output in a format could say that some units are left out, whatever its place; nil: it could. It looks at headers alone.
func Writable(m *engine.Model, drop engine.Drop, asked Format) error {
	format, err := FormatOf(m, asked)
	if err != nil {
		return err
	}
	return format.says(m, drop)
}

// Write writes the model without the dropped layers to path: a folder (hf) or a file (gguf, mergekit). It appears whole, after the
// written model has been opened again and has computed the very logits that the pass without those layers computes; or not at all.
// A mergekit configuration holds no weights, so that there is nothing to open.
func Write(ctx context.Context, m *engine.Model, drop engine.Drop, path string, o Options) error {
	if len(drop) == 0 {
		return errors.New("prune: nothing to drop: the pruned model would be the model")
	}
	format, err := FormatOf(m, o.Format)
	if err != nil {
		return err
	}
	if err := format.names(path); err != nil {
		return err
	}
	if err := format.says(m, drop); err != nil {
		return fmt.Errorf("prune: %s: nothing was written: %w", path, err)
	}
	h, err := format.halve(m, drop, o.Repair)
	if err != nil {
		return fmt.Errorf("prune: %s: nothing was written: %w", path, err)
	}
	output, err := format.place(m, path, o).Begin()
	if err != nil {
		return fmt.Errorf("prune: %w", err)
	}
	defer output.Discard()
	switch format {
	case FormatHF:
		err = writeHF(ctx, m, h, output.Path(), o)
	case FormatGGUF:
		err = writeGGUF(ctx, m, h, output.Path())
	case FormatMergekit:
		err = writeMergekit(m, h.drop, output.Path(), o)
	}
	if err == nil && format != FormatMergekit {
		err = verify(ctx, m, h.drop, output.Path(), o.Repair)
	}
	if changed := m.Check(); changed != nil {
		err = changed
	}
	if err != nil {
		return fmt.Errorf("prune: %s: nothing was written: %w", path, err)
	}
	if err := output.Commit(); err != nil {
		return fmt.Errorf("prune: %w", err)
	}
	h.tell(format, o.notice)
	return nil
}

// notice tells what a person should know of what was written.
func (o Options) notice(format string, values ...any) {
	if o.Notice != nil {
		o.Notice(fmt.Sprintf(format, values...))
	}
}
