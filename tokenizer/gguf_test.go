package tokenizer

import (
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"avssnative/internal/need"
)

// The texts and ids that llama.cpp keeps beside its vocabularies; the ids are the Hugging Face tokenizers'.
func TestGGUFVocabularies(t *testing.T) {
	for _, name := range []string{"bert-bge", "deepseek-llm", "falcon", "gpt-2", "llama-spm", "phi-3", "starcoder"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := need.Data(t, "tokenizers/llama.cpp-vocab/ggml-vocab-"+name+".gguf")
			tok := open(t, path)
			texts, err := os.ReadFile(path + ".inp")
			if err != nil {
				t.Fatal(err)
			}
			lines, err := os.ReadFile(path + ".out")
			if err != nil {
				t.Fatal(err)
			}
			inputs := strings.Split(string(texts), "\n__ggml_vocab_test__\n")
			wanted := strings.Split(strings.TrimSuffix(string(lines), "\n"), "\n")
			if len(inputs) < len(wanted) || len(wanted) < 40 {
				t.Fatalf("%d texts, %d lines of ids", len(inputs), len(wanted))
			}
			for i, line := range wanted {
				var want []int32
				for _, field := range strings.Fields(line) {
					id, err := strconv.Atoi(field)
					if err != nil {
						t.Fatal(err)
					}
					want = append(want, int32(id))
				}
				got, err := tok.Encode(inputs[i], false)
				if err != nil {
					t.Fatal(err)
				}
				if !slices.Equal(got, want) {
					t.Errorf("%q:\ngot  %v\nwant %v", inputs[i], got, want)
				}
			}
		})
	}
}
