package engine_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"avssnative/engine"
	"avssnative/engine/arch"
	"avssnative/engine/device"
	"avssnative/engine/weights"
	"avssnative/internal/safetensors"
)

// FuzzConfig builds a Spec from any text as config.json, over the tensors of a golden, and what its pruned folder's config.json would be.
// Both are a value or an error, within bounded memory: more than any golden needs, and a few times what the text itself is.
func FuzzConfig(f *testing.F) {
	folders, _ := filepath.Glob("testdata/architectures/*")
	var sources []weights.Tensors
	for i, folder := range folders {
		text, err := os.ReadFile(filepath.Join(folder, "config.json"))
		if err != nil {
			f.Fatal(err)
		}
		stored, err := safetensors.Open(filepath.Join(folder, "model.safetensors"))
		if err != nil {
			f.Fatal(err)
		}
		defer stored.Close()
		sources = append(sources, tensorsOf(stored))
		f.Add(byte(i), string(text))
		// In wrappers, one of which does not fit.
		f.Add(byte(i), `{"model_type": "llava", "tie_word_embeddings": false, "text_config": `+string(text)+`}`)
		f.Add(byte(i), `{"model_type": "nonsuch", "text_config": `+string(text)+`}`)
		for _, hostile := range []string{"-1", "1e99", "null", "2147483647", `"x"`, "[[]]"} {
			f.Add(byte(i), strings.Replace(string(text), ": 32,", ": "+hostile+",", 1))
		}
	}
	for _, text := range []string{"", "{", "[]", "{}", `{"model_type": 7}`, `{"model_type": "gemma3", "text_config": {}}`,
		strings.Repeat(`{"text_config":`, 1000)} {
		f.Add(byte(0), text)
	}
	f.Fuzz(func(t *testing.T, which byte, text string) {
		source := sources[int(which)%len(sources)]
		if bytes := allocated(func() {
			config, err := arch.ParseConfig([]byte(text))
			if err != nil {
				return
			}
			spec, err := arch.Build(config, source)
			if err != nil {
				if spec != nil {
					t.Error("a Spec beside an error")
				}
				return
			}
			m := &engine.Model{Spec: spec, Config: config, Tensors: source}
			if _, err := m.ShortConfig([]int{0}); err != nil {
				return
			}
		}); bytes > 64<<20+64*uint64(len(text)) {
			t.Errorf("%d bytes allocated for a text of %d", bytes, len(text))
		}
	})
}

// fileTensors is a Source over one safetensors file.
type fileTensors struct {
	all   map[string]weights.Stored
	names []string
}

func tensorsOf(file *safetensors.File) *fileTensors {
	s := &fileTensors{all: map[string]weights.Stored{}}
	for _, t := range file.Tensors() {
		shape := make([]int, len(t.Shape))
		for i, n := range t.Shape {
			shape[i] = int(n)
		}
		s.names = append(s.names, t.Name)
		s.all[t.Name] = weights.Stored{Name: t.Name, Type: device.DType(t.DType), Shape: shape, Data: t.Data}
	}
	return s
}

func (s *fileTensors) Lookup(name string) (weights.Stored, bool) {
	t, found := s.all[name]
	return t, found
}
func (s *fileTensors) Names() []string   { return s.names }
func (s *fileTensors) Prefetch([]string) {}
func (s *fileTensors) Discard([]string)  {}
func (s *fileTensors) Check() error      { return nil }
func (s *fileTensors) Close() error      { return nil }
