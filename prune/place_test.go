package prune_test

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"avssnative/engine"
	"avssnative/prune"
)

func put(t testing.TB, path, content string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}

// contents are the files below a folder with what is in them.
func contents(t testing.TB, folder string) map[string]string {
	t.Helper()
	all := map[string]string{}
	err := filepath.WalkDir(folder, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			all[path] = "a folder"
			return err
		}
		if entry.Type()&fs.ModeSymlink != 0 {
			all[path], err = os.Readlink(path)
			return err
		}
		data, err := os.ReadFile(path)
		all[path] = string(data)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

const llamaGGUF = "../engine/testdata/gguf/llama-f32.gguf"

// writers make each format's output of a small model.
var writers = map[prune.Format]string{prune.FormatHF: architectures + "/llama", prune.FormatGGUF: llamaGGUF, prune.FormatMergekit: architectures + "/llama"}

// ending is what the names of outputs have to end in.
var ending = map[prune.Format]string{prune.FormatGGUF: ".gguf"}

// What Write wrote before is replaced when forced, and only then.
func TestWriteReplacesItsOwn(t *testing.T) {
	for format, from := range writers {
		m, parent := open(t, from), t.TempDir()
		out := filepath.Join(parent, "out"+ending[format])
		write := func(layer int, force bool) error {
			return prune.Write(context.Background(), m, engine.Layers(layer), out, prune.Options{Format: format, Force: force})
		}
		if err := write(0, false); err != nil {
			t.Fatal(err)
		}
		first := contents(t, parent)
		if err := write(1, false); !errors.Is(err, fs.ErrExist) {
			t.Errorf("%s, not forced: %v", format, err)
		}
		if again := contents(t, parent); len(again) != len(first) || again[out] != first[out] {
			t.Errorf("%s: refused, and yet something changed", format)
		}
		if err := write(1, true); err != nil {
			t.Errorf("%s, forced: %v", format, err)
		}
		if entries, _ := os.ReadDir(parent); len(entries) != 1 {
			t.Errorf("%s: %d entries beside the output", format, len(entries))
		}
		second := contents(t, parent)
		changed := false
		for path, content := range second {
			changed = changed || first[path] != content
		}
		if !changed {
			t.Errorf("%s: not replaced", format)
		}
	}
}

// Whatever is no former output of the same kind stays, forced or not.
func TestWriteReplacesNothingElse(t *testing.T) {
	former := func(format prune.Format) func(t *testing.T, out string) {
		return func(t *testing.T, out string) {
			made := out + ending[format] // a place for one format may hold another's output
			if err := prune.Write(context.Background(), open(t, writers[format]), engine.Layers(0), made, prune.Options{Format: format}); err != nil {
				t.Fatal(err)
			}
			if made != out {
				if err := os.Rename(made, out); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	with := func(make func(*testing.T, string), more func(t *testing.T, out string)) func(*testing.T, string) {
		return func(t *testing.T, out string) {
			make(t, out)
			more(t, out)
		}
	}
	copyOf := func(folder string) func(*testing.T, string) {
		return func(t *testing.T, out string) {
			if err := os.CopyFS(out, os.DirFS(folder)); err != nil {
				t.Fatal(err)
			}
		}
	}
	file := func(content string) func(*testing.T, string) {
		return func(t *testing.T, out string) { put(t, out, content) }
	}
	for name, c := range map[string]struct {
		format prune.Format
		stands func(t *testing.T, out string)
	}{
		"a folder of photos": {prune.FormatHF, func(t *testing.T, out string) { put(t, out+"/a.jpg", "x") }},
		"somebody's model":   {prune.FormatHF, copyOf(architectures + "/gpt2")},
		"somebody's model with a card": {prune.FormatHF, with(copyOf(architectures+"/gpt2"), func(t *testing.T, out string) {
			put(t, out+"/README.md", "---\ntags:\n- gpt2\n---\nMade from a model of avssnative.\n- avssnative\n")
		})},
		"a pruned model with a text beside it":   {prune.FormatHF, with(former(prune.FormatHF), func(t *testing.T, out string) { put(t, out+"/thesis.txt", "x") })},
		"a pruned model under version control":   {prune.FormatHF, with(former(prune.FormatHF), func(t *testing.T, out string) { put(t, out+"/.git/HEAD", "x") })},
		"a pruned model with a folder of ours":   {prune.FormatHF, with(former(prune.FormatHF), func(t *testing.T, out string) { put(t, out+"/tokenizer/a", "x") })},
		"a card alone":                           {prune.FormatHF, func(t *testing.T, out string) { put(t, out+"/README.md", "---\ntags:\n- avssnative\n---\n") }},
		"a file where a folder shall be":         {prune.FormatHF, file("mine")},
		"a folder where a file shall be":         {prune.FormatGGUF, func(t *testing.T, out string) { put(t, out+"/a", "x") }},
		"a text where a GGUF file shall be":      {prune.FormatGGUF, file("mine")},
		"a GGUF file from elsewhere":             {prune.FormatGGUF, func(t *testing.T, out string) { put(t, out, contents(t, llamaGGUF)[llamaGGUF]) }},
		"a recipe from elsewhere":                {prune.FormatMergekit, file("slices:\n  - sources: []\nmerge_method: passthrough\n")},
		"a GGUF file where a recipe shall be":    {prune.FormatMergekit, former(prune.FormatGGUF)},
		"a pruned model where a recipe shall be": {prune.FormatMergekit, former(prune.FormatHF)},
		"a link to a pruned model": {prune.FormatHF, func(t *testing.T, out string) {
			former(prune.FormatHF)(t, out+"-real")
			if err := os.Symlink(out+"-real", out); err != nil {
				t.Skip(err)
			}
		}},
	} {
		t.Run(name, func(t *testing.T) {
			parent := t.TempDir()
			out := filepath.Join(parent, "out"+ending[c.format])
			c.stands(t, out)
			before := contents(t, parent)
			for _, force := range []bool{false, true} {
				o := prune.Options{Format: c.format, Force: force}
				m := open(t, writers[c.format])
				if err := prune.Check(m, engine.Layers(1), out, o); !errors.Is(err, fs.ErrExist) && !force || err == nil {
					t.Errorf("Check, force %v: %v", force, err)
				}
				if err := prune.Write(context.Background(), m, engine.Layers(1), out, o); err == nil {
					t.Errorf("Write, force %v: done", force)
				}
			}
			after := contents(t, parent)
			if len(after) != len(before) {
				t.Errorf("%d files, there were %d", len(after), len(before))
			}
			for path, content := range before {
				if after[path] != content {
					t.Errorf("%s changed", path)
				}
			}
		})
	}
}

// The model itself, and whatever holds it, is never replaced, even by what looks like a former output.
func TestWriteKeepsWhatItReads(t *testing.T) {
	parent := t.TempDir()
	out := filepath.Join(parent, "out")
	if err := prune.Write(context.Background(), open(t, writers[prune.FormatHF]), engine.Layers(0), out, prune.Options{}); err != nil {
		t.Fatal(err)
	}
	m := open(t, out)
	for _, place := range []string{out, parent, out + "/../out"} {
		if err := prune.Write(context.Background(), m, engine.Layers(0), place, prune.Options{Force: true}); err == nil || !strings.Contains(err.Error(), "being read") {
			t.Errorf("%s: %v", place, err)
		}
	}
	other := filepath.Join(parent, "other")
	if err := os.Rename(filepath.Join(parent, "out"), other); err != nil {
		t.Fatal(err)
	}
	o := prune.Options{Force: true, Reading: []string{filepath.Join(other, "tokenizer.json"), other}}
	if err := prune.Check(open(t, writers[prune.FormatHF]), engine.Layers(0), other, o); err == nil || !strings.Contains(err.Error(), "being read") {
		t.Errorf("what else is read: %v", err)
	}
}

// What cannot be written is known before any work.
func TestCheckRefuses(t *testing.T) {
	out := filepath.Join(t.TempDir(), "out")
	for name, c := range map[string]struct {
		model string
		drop  engine.Drop
		o     prune.Options
		asked prune.Asked
	}{
		"gguf of a folder":             {architectures + "/llama", nil, prune.Options{Format: prune.FormatGGUF}, prune.AskedFormat},
		"hf of a GGUF file":            {llamaGGUF, nil, prune.Options{Format: prune.FormatHF}, prune.AskedFormat},
		"mergekit of a GGUF file":      {llamaGGUF, nil, prune.Options{Format: prune.FormatMergekit}, prune.AskedFormat},
		"a GGUF file by another name":  {llamaGGUF, nil, prune.Options{}, prune.AskedFormat},
		"half a layer in mergekit":     {architectures + "/llama", engine.Units(engine.Unit{Layer: 1, Part: engine.MLP}), prune.Options{Format: prune.FormatMergekit}, prune.AskedRule},
		"a format that does not exist": {llamaGGUF, nil, prune.Options{Format: "zip"}, prune.AskedFormat},
		"layers that the format cannot name": {changed(t, "gpt2", `"scale_attn_by_inverse_layer_idx": false`, `"scale_attn_by_inverse_layer_idx": true`),
			engine.Layers(0), prune.Options{}, prune.AskedRule},
	} {
		var refused *prune.Refused
		if err := prune.Check(open(t, c.model), c.drop, out, c.o); !errors.As(err, &refused) || refused.Asked != c.asked {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := prune.Check(open(t, llamaGGUF), engine.Layers(0), filepath.Join(out, "nowhere", "x.gguf"), prune.Options{}); err == nil {
		t.Error("a folder that is not there can be written in")
	}
	if err := prune.Check(open(t, llamaGGUF), engine.Layers(0), out+".gguf", prune.Options{}); err != nil {
		t.Error(err)
	}
	nothing(t, filepath.Dir(out))
}

// Rules that no scores could make possible are known from the number of layers.
func TestRuleCheck(t *testing.T) {
	rule := func(text string) prune.Rule {
		parse := prune.ParseRule
		if mass, ok := strings.CutPrefix(text, "mass "); ok {
			text, parse = mass, prune.ParseMass
		}
		r, err := parse(text)
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	for _, c := range []struct {
		rule    string
		protect prune.Protect
		asked   prune.Asked // empty: it can be followed
	}{
		{"25%", prune.Protect{}, ""}, {"3", prune.Protect{}, ""}, {"0,1,2", prune.Protect{}, ""}, {"mass 99%", prune.Protect{}, ""},
		{"mass 100%", prune.Protect{First: 1}, ""}, {"mass 100%", prune.Protect{}, prune.AskedMass},
		{"100%", prune.Protect{}, prune.AskedRule}, {"4", prune.Protect{}, prune.AskedRule}, {"1,4", prune.Protect{}, prune.AskedRule},
		{"0,1,2,3", prune.Protect{}, prune.AskedRule}, {"2", prune.Protect{First: 2, Last: 1}, prune.AskedRule},
		{"1,", prune.Protect{First: 2}, prune.AskedRule}, {"1", prune.Protect{First: 4}, prune.AskedProtection},
		{"1", prune.Protect{Last: -1}, prune.AskedProtection},
	} {
		var refused *prune.Refused
		err := rule(c.rule).Check(4, c.protect)
		if (err == nil) != (c.asked == "") || err != nil && (!errors.As(err, &refused) || refused.Asked != c.asked) {
			t.Errorf("%s, %v protected: %v, want %q", c.rule, c.protect, err, c.asked)
		}
	}
}
