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

// A file that does not say how text is split is split as llama.cpp splits it, and the tokenizer says so.
func TestGGUFWithoutPre(t *testing.T) {
	tokens := []string{}
	for _, r := range byteRunes {
		tokens = append(tokens, string(r))
	}
	tokens = append(tokens, "12", "123", "..", "a.", "Ġa")
	merges := []string{"1 2", "12 3", ". .", "a .", "Ġ a"}
	for _, pre := range []string{"", "default"} {
		tok, err := readGGUF(ggufVocabulary{Model: "gpt2", Pre: pre, Tokens: tokens, Merges: merges})
		if err != nil {
			t.Fatal(err)
		}
		ids, err := tok.Encode(" a..1234", false)
		if err != nil {
			t.Fatal(err)
		}
		want := []int32{260, 258, 257, 52} // " a", "..", "123", "4": punctuation apart, digits by threes
		if !slices.Equal(ids, want) || len(tok.Notes()) != 1 || tok.AddsBOS() {
			t.Errorf("pre %q: got %v, want %v, notes %q", pre, ids, want, tok.Notes())
		}
	}
	if tok := open(t, need.Data(t, "tokenizers/llama.cpp-vocab/ggml-vocab-gpt-2.gguf")); len(tok.Notes()) != 0 {
		t.Errorf("notes %q", tok.Notes())
	}
}
