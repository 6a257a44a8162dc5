package prune_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"avssnative/engine"
	"avssnative/engine/arch"
	"avssnative/prune"
)

const architectures = "../engine/testdata/architectures"

func open(t testing.TB, folder string) *engine.Model {
	t.Helper()
	m, err := engine.Open(context.Background(), folder, engine.Options{Device: "reference"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close() })
	return m
}

// nothing makes sure that a folder is empty, hidden files included.
func nothing(t testing.TB, folder string) {
	t.Helper()
	entries, err := os.ReadDir(folder)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		t.Errorf("%s was left behind", e.Name())
	}
}

func TestEveryArchitectureReloadsShorter(t *testing.T) {
	folders, _ := filepath.Glob(architectures + "/*")
	if len(folders) == 0 {
		t.Fatal("no goldens")
	}
	for _, folder := range folders {
		t.Run(filepath.Base(folder), func(t *testing.T) {
			m := open(t, folder)
			for _, drop := range []engine.Drop{engine.Layers(0), engine.Layers(1), engine.Layers(2), engine.Layers(0, 1), engine.Layers(0, 2), engine.Layers(1, 2)} {
				out := filepath.Join(t.TempDir(), "smaller")
				// Write itself compares the reloaded model's logits, bit for bit.
				if err := prune.Write(context.Background(), m, drop, out, prune.Options{}); err != nil {
					t.Fatal(err)
				}
				if s := open(t, out); s.Layers() != m.Layers()-len(drop) {
					t.Errorf("%d layers, want %d", s.Layers(), m.Layers()-len(drop))
				}
				card, err := os.ReadFile(filepath.Join(out, "README.md"))
				if err != nil || !strings.Contains(string(card), "left out") {
					t.Errorf("model card: %v: %s", err, card)
				}
			}
		})
	}
}

func TestWriteInShards(t *testing.T) {
	m := open(t, architectures+"/llama")
	out := filepath.Join(t.TempDir(), "smaller")
	if err := prune.Write(context.Background(), m, engine.Layers(1), out, prune.Options{Shard: 20_000}); err != nil {
		t.Fatal(err)
	}
	shards, _ := filepath.Glob(out + "/model-*-of-*.safetensors")
	if _, err := os.Stat(out + "/model.safetensors.index.json"); err != nil || len(shards) < 2 {
		t.Errorf("%d shards, index: %v", len(shards), err)
	}
}

func TestWriteRefuses(t *testing.T) {
	m := open(t, architectures+"/llama")
	parent := t.TempDir()
	out := filepath.Join(parent, "out")
	cancelled, cancel := context.WithCancel(context.Background())
	cancel()
	for _, c := range []struct {
		name string
		ctx  context.Context
		drop engine.Drop
		o    prune.Options
		want string
	}{
		{"nothing dropped", context.Background(), nil, prune.Options{}, "nothing to drop"},
		{"unknown format", context.Background(), engine.Layers(1), prune.Options{Format: "zip"}, `format "zip": unknown`},
		{"gguf of a folder", context.Background(), engine.Layers(1), prune.Options{Format: prune.FormatGGUF}, "is no .gguf file"},
		{"cancelled", cancelled, engine.Layers(1), prune.Options{}, "context canceled"},
	} {
		if err := prune.Write(c.ctx, m, c.drop, out, c.o); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want an error that says %q", c.name, err, c.want)
		}
		nothing(t, parent)
	}
}

func TestWriteMergekit(t *testing.T) {
	m := open(t, architectures+"/llama")
	out := filepath.Join(t.TempDir(), "merge.yaml")
	if err := prune.Write(context.Background(), m, engine.Layers(1), out, prune.Options{Format: prune.FormatMergekit}); err != nil {
		t.Fatal(err)
	}
	text, _ := os.ReadFile(out)
	for _, want := range []string{"layer_range: [0, 1]", "layer_range: [2, 3]", "merge_method: passthrough", "dtype: float32"} {
		if !strings.Contains(string(text), want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
}

// What mergekit does not cut is said, in the file and to whoever asked for it; where there is nothing of the kind, nothing is said.
func TestMergekitSaysWhatIsNotCut(t *testing.T) {
	for family, want := range map[string]string{"gemma2": `layer_types: ["sliding_attention","sliding_attention"]`, "qwen2": `layer_types: ["full_attention","full_attention"]`,
		"llama": "", "gpt-neox": ""} {
		out := filepath.Join(t.TempDir(), "merge.yaml")
		var said string
		o := prune.Options{Format: prune.FormatMergekit, Notice: func(text string) { said += text }}
		if err := prune.Write(context.Background(), open(t, architectures+"/"+family), engine.Layers(1), out, o); err != nil {
			t.Fatal(err)
		}
		text, _ := os.ReadFile(out)
		if !strings.Contains(said, want) || !strings.Contains(string(text), want) || (said == "") != (want == "") {
			t.Errorf("%s: said %q in\n%s", family, said, text)
		}
	}
}

// What a configuration says of a layer's place cannot be said of layers that move, and is refused before anything is written.
func TestWriteRefusesWhatFewerLayersCannotSay(t *testing.T) {
	parent := t.TempDir()
	m := open(t, changed(t, "gpt2", `"scale_attn_by_inverse_layer_idx": false`, `"scale_attn_by_inverse_layer_idx": true`))
	err := prune.Write(context.Background(), m, engine.Layers(0), filepath.Join(parent, "out"), prune.Options{})
	if err == nil || !strings.Contains(err.Error(), "only the last layers can be left out") {
		t.Errorf("error %v", err)
	}
	nothing(t, parent)
	if err := prune.Write(context.Background(), m, engine.Layers(1, 2), filepath.Join(parent, "out"), prune.Options{}); err != nil {
		t.Errorf("the last layers: %v", err)
	}
}

// changed is a copy of a golden with one text of its configuration replaced.
func changed(t testing.TB, golden, from, to string) string {
	t.Helper()
	folder := t.TempDir()
	if err := os.CopyFS(folder, os.DirFS(architectures+"/"+golden)); err != nil {
		t.Fatal(err)
	}
	config, _ := os.ReadFile(folder + "/config.json")
	text := strings.Replace(string(config), from, to, 1)
	if text == string(config) {
		t.Fatalf("the golden has no %s", from)
	}
	if err := os.WriteFile(folder+"/config.json", []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return folder
}

// test_uncut is GPT-2 with layer i's scores divided by i + 1, and nothing that says how this is cut.
func init() {
	arch.Register(arch.Family{ModelTypes: []string{"test_uncut"}, Build: func(b *arch.Builder) *arch.Spec {
		c, err := arch.ParseConfig([]byte(`{"model_type": "gpt2"}`))
		if err != nil {
			panic(err)
		}
		family, err := arch.Of(c)
		if err != nil {
			panic(err)
		}
		s := family.Build(b)
		for i := range s.Blocks {
			s.Blocks[i].Mixer.(*arch.AttentionSpec).Scale /= float32(i + 1)
		}
		return s
	}})
}

// A family that says something per layer and forgets to say how it is cut must not be written wrongly.
func TestVerifyCatchesAModelThatComputesSomethingElse(t *testing.T) {
	parent := t.TempDir()
	m := open(t, changed(t, "gpt2", `"model_type": "gpt2"`, `"model_type": "test_uncut"`))
	err := prune.Write(context.Background(), m, engine.Layers(0), filepath.Join(parent, "out"), prune.Options{})
	if err == nil || !strings.Contains(err.Error(), "computes other logits") {
		t.Errorf("error %v", err)
	}
	nothing(t, parent)
}
