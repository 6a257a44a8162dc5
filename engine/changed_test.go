package engine_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"avssnative/engine"
	"avssnative/internal/edited"
)

// A model whose file is cut short or written to after it was opened gives no results: passes, decoders and fits end in an error that names
// the file.
func TestChangedFiles(t *testing.T) {
	cut := func(path string) error { return os.Truncate(path, 512) }
	written := func(path string) error {
		file, err := os.OpenFile(path, os.O_RDWR, 0)
		if err != nil {
			return err
		}
		defer file.Close()
		_, err = file.WriteAt([]byte("other"), 4000)
		return err
	}
	ids := []int32{3, 5, 7, 11, 13, 17, 19}
	uses := map[string]func(m *engine.Model) error{
		"pass": func(m *engine.Model) error {
			o, err := m.Run(context.Background(), engine.Pass{Sequences: []engine.Sequence{{IDs: ids, ScoreFrom: 1, ScoreTo: 7}}})
			if err != nil && o != nil {
				t.Error("results beside an error")
			}
			return err
		},
		"decoder": func(m *engine.Model) error {
			d, err := m.NewDecoder(engine.DecoderOptions{})
			if err != nil {
				return err
			}
			defer d.Close()
			_, err = d.Start(context.Background(), []engine.Prompt{{IDs: ids}})
			return err
		},
		"fit": func(m *engine.Model) error {
			_, err := m.Fit(context.Background(), engine.Fit{Sequences: []engine.Sequence{{IDs: ids}, {IDs: ids}}, Drop: engine.Layers(1),
				Solve: func(context.Context, *engine.LinearFit) (*engine.Solution, error) { return nil, nil }})
			return err
		},
	}
	for how, change := range map[string]func(string) error{"cut": cut, "changed": written} {
		for use, compute := range uses {
			for _, form := range []string{"folder", "gguf"} {
				var path, file string
				if form == "folder" {
					path = edited.Folder(t, "testdata/architectures/llama", nil)
					file = filepath.Join(path, "model.safetensors")
				} else {
					path = edited.GGUF(t, "testdata/gguf/llama-f32.gguf", nil)
					file = path
				}
				m := open(t, path, "cpu")
				if err := compute(m); err != nil {
					t.Fatalf("%s of a %s: %v", use, form, err)
				}
				if err := change(file); err != nil {
					t.Fatal(err)
				}
				if err := compute(m); err == nil || !strings.Contains(err.Error(), file) || strings.Contains(err.Error(), "\n") {
					t.Errorf("%s of a %s that is %s: error %v, want one line that names %s", use, form, how, err, file)
				}
			}
		}
	}
}
