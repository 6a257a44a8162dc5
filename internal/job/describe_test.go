package job

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	_ "avssnative/engine/weights/demo"
)

const architectures = "../../engine/testdata/architectures"

func describe(t *testing.T, ref string) *Description {
	t.Helper()
	d, err := Describe(t.Context(), ref)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func (d *Description) ability(what string) Ability {
	for _, a := range d.Abilities {
		if a.What == what {
			return a
		}
	}
	return Ability{}
}

// Whatever the family, all that is stored is in one part and of one type, and layers are no more than all.
func TestDescriptionsAddUp(t *testing.T) {
	folders, err := filepath.Glob(filepath.Join(architectures, "*"))
	if err != nil || len(folders) == 0 {
		t.Fatal(folders, err)
	}
	files, err := filepath.Glob("../../engine/testdata/gguf/*.gguf")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, ref := range append(folders, files...) {
		d := describe(t, ref)
		for name, portions := range map[string][]Portion{"parts": d.Parts, "types": d.Types} {
			var parameters, bytes int64
			for _, p := range portions {
				if p.Parameters < 0 || p.Bytes < 0 {
					t.Errorf("%s: %s: %+v", ref, name, p)
				}
				parameters += p.Parameters
				bytes += p.Bytes
			}
			if parameters != d.Parameters || bytes != d.Bytes {
				t.Errorf("%s: %s come to %d parameters in %d bytes, want %d in %d", ref, name, parameters, bytes, d.Parameters, d.Bytes)
			}
		}
		var bytes int64
		for _, b := range d.Blocks {
			if strings.HasPrefix(b.Mixer+b.MLP, "*") || b.Bytes == 0 {
				t.Errorf("%s: layer %+v", ref, b)
			}
			bytes += b.Bytes
		}
		if len(d.Blocks) != d.Layers || bytes >= d.Bytes || !d.ability("compute").Able {
			t.Errorf("%s: %d layers in %d of %d bytes, %v", ref, len(d.Blocks), bytes, d.Bytes, d.Abilities)
		}
	}
}

// Layers that see a window keep that and what a step adds, whatever the context.
func TestDescriptionOfWindows(t *testing.T) {
	d := describe(t, "../../engine/testdata/architectures/gemma3")
	window, whole := d.Cache.PerToken/3*2*(5+16), d.Cache.PerToken/3*64
	if d.Context != 64 || d.Layers != 3 || d.Cache.Windowed != 2 || d.Cache.Whole != window+whole {
		t.Errorf("%+v, want two windows in %d bytes and a whole in %d", d.Cache, window, whole)
	}
}

func TestDescriptionOfTheDemo(t *testing.T) {
	d := describe(t, "demo")
	// 16 layers of 2 heads with keys and values of 32, two bytes each.
	if d.Cache.PerToken != 16*2*(32+32)*2 || d.Cache.Once != 0 || d.Cache.Whole != 512*d.Cache.PerToken {
		t.Errorf("%+v", d.Cache)
	}
	if d.Layers != 16 || d.Context != 512 || d.Tokenizer.Kind != "byte-level BPE" || d.Tokenizer.Size != 2048 || d.Blocks[3].Mixer == "" {
		t.Errorf("%+v", d)
	}
	for what, able := range map[string]bool{"compute": true, "generate": true, "write hf": true, "write mergekit": true,
		"write gguf": false, "repair": true} {
		if a := d.ability(what); a.What == "" || a.Able != able || !able && a.Note == "" {
			t.Errorf("%s: %+v", what, a)
		}
	}
	if a := d.ability("drop attn alone"); a.Note != "left out" {
		t.Errorf("%+v", a)
	}
}

func TestWhatCannotBeDone(t *testing.T) {
	for name, want := range map[string]struct{ what, why string }{
		"bert-classifier": {"repair", "normed"}, "phi": {"repair", "side by side"}, "distilbert-classifier": {"generate", "classifier"},
		"mixtral": {"write gguf", "no .gguf file"},
	} {
		a := describe(t, filepath.Join(architectures, name)).ability(want.what)
		if a.What == "" || a.Able || !strings.Contains(a.Note, want.why) {
			t.Errorf("%s: %+v, want no: %s", name, a, want.why)
		}
	}
	if a := describe(t, "../../engine/testdata/gguf/gemma-f32.gguf").ability("write gguf"); !a.Able {
		t.Errorf("%+v", a)
	}
	if a := describe(t, filepath.Join(architectures, "gemma")).ability("drop mlp alone"); !a.Able || !strings.Contains(a.Note, "zeros") {
		t.Errorf("%+v", a)
	}
}

// A configuration alone says what its model would be; files of an unknown architecture say what they hold.
func TestDescriptionsOfWhatCannotBeOpened(t *testing.T) {
	config, err := os.ReadFile(filepath.Join(architectures, "llama", "config.json"))
	if err != nil {
		t.Fatal(err)
	}
	weights, err := os.ReadFile(filepath.Join(architectures, "llama", "model.safetensors"))
	if err != nil {
		t.Fatal(err)
	}
	dense := describe(t, filepath.Join(architectures, "llama"))
	folder := t.TempDir()
	write := func(name string, data []byte) {
		if err := os.WriteFile(filepath.Join(folder, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("config.json", config)
	for _, ref := range []string{folder, filepath.Join(folder, "config.json")} {
		d := describe(t, ref)
		if d.Form != FormConfig || d.Parameters != dense.Parameters || d.ability("compute").Able || !d.ability("plan").Able {
			t.Errorf("%s: %+v", ref, d)
		}
	}
	write("model.safetensors", weights)
	write("config.json", []byte(strings.ReplaceAll(string(config), `"llama"`, `"lorem"`)))
	d := describe(t, folder)
	if d.Architecture != "lorem" || d.Parameters != dense.Parameters || d.Bytes != dense.Bytes || d.Layers != 0 {
		t.Errorf("%+v", d)
	}
	if a := d.ability("compute"); a.Able || !strings.Contains(a.Note, "lorem") {
		t.Errorf("%+v", a)
	}
	if _, err := Describe(t.Context(), filepath.Join(folder, "none")); err == nil {
		t.Error("what is not there is described")
	}
}
