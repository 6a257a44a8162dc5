package tokenizer

import (
	"path/filepath"
	"testing"
)

func TestKind(t *testing.T) {
	for name, want := range map[string]string{"gpt2": "byte-level BPE", "llama3": "byte-level BPE", "llama2-legacy": "BPE", "llama2-metaspace": "BPE",
		"bert": "WordPiece", "unigram": "Unigram"} {
		tokenizer, err := readJSON(gunzip(t, filepath.Join("testdata", "golden", name, "tokenizer.json.gz")), name)
		if err != nil {
			t.Fatal(err)
		}
		if got := tokenizer.Kind(); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	scored, err := newScoredBPE([]string{"a", "b"}, []float64{0, -1}, []int32{0, 1}, -1, false)
	if err != nil {
		t.Fatal(err)
	}
	for want, m := range map[string]model{"SentencePiece BPE": scored, "WordLevel": &wordLevel{}} {
		if got := (&Tokenizer{plain: &pipeline{model: m}}).Kind(); got != want {
			t.Errorf("%T: %q, want %q", m, got, want)
		}
	}
}
