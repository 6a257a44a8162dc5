package differential

import (
	"encoding/base64"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"avssnative/internal/need"
	"avssnative/tokenizer"
)

// judge asks a peer for a list of texts at once; of a text that it refuses the answer is nil.
type judge[A any] func(t *testing.T, texts []string) []*A

func judgeOf[A any](p *peer) judge[A] {
	return func(t *testing.T, texts []string) []*A {
		question := make([]string, len(texts))
		for i, text := range texts {
			question[i] = base64.StdEncoding.EncodeToString([]byte(text))
		}
		answers := make([]*A, len(texts))
		p.ask(t, question, &answers)
		if len(answers) != len(texts) {
			t.Fatalf("%d answers, want %d", len(answers), len(texts))
		}
		return answers
	}
}

// texts compares by the same of a text and of what a peer answered, and of a text that differs shows what is left of it when as much as
// possible has been taken out.
func texts[A any](t *testing.T, seed uint64, share int, words []string, ask judge[A], same func(text string, want *A) (difference string)) {
	differs := func(text string) bool { return same(text, ask(t, []string{text})[0]) != "" }
	rounds(t, seed, allowed(t, share), func(random *rand.Rand) int {
		made := randomTexts(random, 40, words)
		for i, want := range ask(t, made) {
			if same(made[i], want) != "" {
				least := shortened(made[i], differs)
				t.Fatalf("%+q: %s", least, same(least, ask(t, []string{least})[0]))
			}
		}
		return len(made)
	})
}

// shortened takes pieces out of a text as long as it differs, larger ones first.
func shortened(text string, differs func(string) bool) string {
	runes := []rune(text)
	if string(runes) != text { // bytes that are no UTF-8
		return text
	}
	for size := len(runes) / 2; size > 0; size /= 2 {
		for at := 0; at+size <= len(runes); {
			if less := slices.Concat(runes[:at], runes[at+size:]); differs(string(less)) {
				runes = less
			} else {
				at += size
			}
		}
	}
	return string(runes)
}

// library is what peers.py says of a text: ids, ids with the tokens around them, and both ways to read these.
type library struct {
	IDs, Special   []int32
	Decoded, Plain string
}

func (l *library) UnmarshalJSON(text []byte) error {
	return unmarshalList(text, &l.IDs, &l.Special, &l.Decoded, &l.Plain)
}

// TestTexts holds every tokenizer.json at hand against the tokenizers library.
func TestTexts(t *testing.T) {
	python := need.Python(t, "tokenizers")
	files := []string{"gpt2", "mistral", "neox-pythia"}
	for i, name := range files {
		files[i] = filepath.Join(need.Data(t, "tokenizers/"+name), "tokenizer.json")
	}
	for _, name := range []string{"stories260K-hf", "tiny16", "babyllama-tok361-hf"} {
		files = append(files, filepath.Join(need.Data(t, "models/"+name), "tokenizer.json"))
	}
	for _, name := range []string{"bert", "llama2-legacy", "llama2-metaspace", "llama3", "qwen2", "unigram"} {
		files = append(files, filepath.Join(need.Reference(t, "tokenizers/"+name), "tokenizer.json"))
	}
	for i, file := range files {
		t.Run(filepath.Base(filepath.Dir(file)), func(t *testing.T) {
			ours := open(t, file)
			texts(t, uint64(i), len(files), spellings(ours), judgeOf[library](start(t, python, "tokenizers", file)), func(text string, want *library) string {
				ids, err := ours.Encode(text, false)
				if err != nil || want == nil {
					return refusal(err, want == nil)
				}
				special, err := ours.Encode(text, true)
				if err != nil {
					return err.Error()
				}
				decoded, err := ours.Decode(want.Special, false)
				if err != nil {
					return err.Error()
				}
				plain, err := ours.Decode(want.Special, true)
				if err != nil {
					return err.Error()
				}
				return unequal([]any{ids, special, decoded, plain}, []any{want.IDs, want.Special, want.Decoded, want.Plain})
			})
		})
	}
}

// TestSentencePieceTexts holds Mistral's tokenizer.model against the tokenizers library with Mistral's tokenizer.json, which was made of it. Only the
// latter knows special tokens in a text, so there are none.
func TestSentencePieceTexts(t *testing.T) {
	folder := need.Data(t, "tokenizers/mistral")
	ours := open(t, filepath.Join(folder, "tokenizer.model"))
	ask := judgeOf[library](start(t, need.Python(t, "tokenizers"), "tokenizers", filepath.Join(folder, "tokenizer.json")))
	texts(t, 50, 1, spellings(ours), ask, func(text string, want *library) string {
		ids, err := ours.Encode(text, false)
		if err != nil || want == nil {
			return refusal(err, want == nil)
		}
		if strings.Contains(text, "<unk>") || strings.Contains(text, "<s>") || strings.Contains(text, "</s>") {
			return ""
		}
		return unequal([]any{ids}, []any{want.IDs})
	})
}

// TestRealTexts holds the vocabularies inside real models' files against llama.cpp. Three things are its own. It splits what Unicode assigns to
// nothing character by character, where the models' own patterns take a run of it. For BERT it strips marks by a newer table than the tokenizers
// library. For Phi-3 it takes spaces behind a special token away, by the model's name: the file does not say so.
func TestRealTexts(t *testing.T) {
	python := os.Getenv("AVSSNATIVE_LLAMA_PYTHON")
	if python == "" {
		need.Missing(t, "AVSSNATIVE_LLAMA_PYTHON, a Python with the packages of .ci/requirements-llama.txt,")
	}
	files := []string{need.Model(t, "smollm2.gguf")}
	if folder := os.Getenv("AVSSNATIVE_REAL_MODELS"); folder != "" {
		files = append(files, filepath.Join(folder, "gemma3.gguf"))
	}
	for _, name := range []string{"deepseek-llm", "falcon", "gpt-2", "llama-spm", "starcoder"} {
		files = append(files, need.Data(t, "tokenizers/llama.cpp-vocab/ggml-vocab-"+name+".gguf"))
	}
	for i, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".gguf"), func(t *testing.T) {
			ours := open(t, file)
			texts(t, uint64(100+i), len(files), spellings(ours), judgeOf[[]int32](start(t, python, "llama", file)), func(text string, want *[]int32) string {
				ids, err := ours.Encode(text, false)
				if err != nil || want == nil {
					return refusal(err, want == nil)
				}
				if strings.ContainsFunc(text, unassigned) {
					return ""
				}
				return unequal([]any{ids}, []any{*want})
			})
		})
	}
}

// unassigned says whether a character has no meaning in Unicode.
func unassigned(r rune) bool {
	return !unicode.In(r, unicode.L, unicode.M, unicode.N, unicode.P, unicode.S, unicode.Z, unicode.Cc, unicode.Cf)
}

func open(t *testing.T, file string) *tokenizer.Tokenizer {
	t.Helper()
	ours, err := tokenizer.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	return ours
}

// refusal is what differs where one of the two refuses a text.
func refusal(err error, theirs bool) string {
	if (err != nil) == theirs {
		return ""
	}
	if theirs {
		return "accepted, want an error"
	}
	return err.Error()
}

// spellings are the tokens as a text holds them, as far as they are text.
func spellings(ours *tokenizer.Tokenizer) []string {
	var words []string
	for id := range int32(ours.Size()) {
		if text, err := ours.Decode([]int32{id}, false); err == nil && text != "" && utf8.ValidString(text) {
			words = append(words, text)
		}
	}
	return words
}
