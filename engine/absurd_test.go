package engine_test

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"avssnative/engine"
	"avssnative/internal/edited"
	"avssnative/internal/gguf"
)

// absurd are values that files have held in the place of a number: JSON texts, "" for a key that is absent.
var absurd = []string{"", "null", `"text"`, "0", "-1", "2147483648", "9223372036854775808", "1e38", "NaN", "Infinity", "[]", "{}", "true"}

// fields visits every value of a configuration, those of the objects inside too.
func fields(values map[string]any, visit func(inside map[string]any, key string)) {
	for key, value := range values {
		if section, ok := value.(map[string]any); ok {
			fields(section, visit)
		}
		visit(values, key)
	}
}

// scored opens a model and scores eight tokens.
func scored(t *testing.T, path string) (err error) {
	t.Helper()
	if bytes := allocated(func() {
		var m *engine.Model
		if m, err = engine.Open(context.Background(), path, on("cpu")); err != nil {
			return
		}
		defer m.Close()
		ids := []int32{1, 2, 3, 4, 5, 6, 7, 8}
		_, err = m.Run(context.Background(), engine.Pass{Sequences: []engine.Sequence{{IDs: ids, ScoreFrom: 1, ScoreTo: 8}}})
	}); bytes > 256<<20 {
		t.Errorf("%d bytes allocated (%v)", bytes, err)
	}
	return err
}

// Every number of a configuration may be absurd: the model is opened and scored, or an error of one line names the field; or, where the value
// might have been meant, the tensor that does not fit it.
func TestAbsurdConfigurations(t *testing.T) {
	for _, golden := range []string{"llama3-rope", "gemma3", "qwen3-moe", "deepseek-v3", "gpt2", "qwen3-next"} {
		t.Run(golden, func(t *testing.T) {
			folder := edited.Folder(t, filepath.Join("testdata/architectures", golden), nil)
			file := filepath.Join(folder, "config.json")
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			config := map[string]any{}
			if err := json.Unmarshal(text, &config); err != nil {
				t.Fatal(err)
			}
			fields(config, func(inside map[string]any, key string) {
				right := inside[key]
				defer func() { inside[key] = right }()
				for _, value := range absurd {
					const mark = "«the value»"
					if inside[key] = mark; value == "" {
						delete(inside, key)
					}
					text, err := json.Marshal(config)
					if err == nil {
						err = os.WriteFile(file, []byte(strings.Replace(string(text), `"`+mark+`"`, value, 1)), 0o600)
					}
					if err != nil {
						t.Fatal(err)
					}
					one(t, fmt.Sprintf("%s: %s", key, value), scored(t, folder), key, value)
				}
			})
		})
	}
}

var tensorNamed = regexp.MustCompile(`[a-z_]+\.[a-z0-9_.]+`)

// one holds an error against what is promised.
func one(t *testing.T, what string, err error, key, value string) {
	t.Helper()
	if err == nil {
		return
	}
	text := err.Error()
	named := strings.Contains(text, key)
	if meant := value == "" || value == "null" || value == "0" || value == "true"; meant {
		named = named || tensorNamed.MatchString(text)
	}
	if !named || strings.Contains(text, "\n") {
		t.Errorf("%s: error %q does not name it in one line", what, text)
	}
}

// The same of the metadata of GGUF files.
func TestAbsurdMetadata(t *testing.T) {
	wrong := []any{nil, "text", uint32(0), int32(-1), uint32(1 << 31), uint64(1 << 63), float32(1e38), float64(1e300),
		math.Float32frombits(0x7fc00000), math.Float32frombits(0x7f800000),
		[]uint32{}, []float32{1e38}, true}
	for _, golden := range []string{"llama-yarn-rope", "gemma3", "deepseek-v3"} {
		t.Run(golden, func(t *testing.T) {
			path := "testdata/gguf/" + golden + "-f32.gguf"
			file, err := gguf.Open(path)
			if err != nil {
				t.Fatal(err)
			}
			defer file.Close()
			for _, entry := range file.Metadata() {
				if strings.HasPrefix(entry.Key, "tokenizer.") {
					continue
				}
				for _, value := range wrong {
					text := fmt.Sprintf("%v", value)
					if value == nil {
						text = ""
					}
					changed := edited.GGUF(t, path, map[string]any{entry.Key: value})
					_, field, _ := strings.Cut(entry.Key, ".")
					one(t, fmt.Sprintf("%s: %s (%T)", entry.Key, text, value), scored(t, changed), field, text)
					if err := os.Remove(changed); err != nil {
						t.Fatal(err)
					}
				}
			}
		})
	}
}
