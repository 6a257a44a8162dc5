package tokenizer

import (
	"encoding/json"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"avssnative/internal/need"
)

// Models and ids by the sentencepiece library (tools/goldens/sentencepiece_models.py). No text holds a control piece, which the library
// does not look for.
func TestSentencePieceGolden(t *testing.T) {
	models, err := filepath.Glob(filepath.Join("testdata", "sentencepiece", "*.model.gz"))
	if err != nil || len(models) == 0 {
		t.Fatal("no models", err)
	}
	for _, path := range models {
		name := strings.TrimSuffix(filepath.Base(path), ".model.gz")
		t.Run(name, func(t *testing.T) {
			tok, err := readSentencePiece(gunzip(t, path), name)
			if err != nil {
				t.Fatal(err)
			}
			var cases []goldenCase
			if err := json.Unmarshal(gunzip(t, strings.Replace(path, ".model.gz", ".cases.json.gz", 1)), &cases); err != nil {
				t.Fatal(err)
			}
			wrong := 0
			for _, c := range cases {
				ids, err := tok.Encode(c.Text, false)
				if err != nil {
					t.Fatalf("%q: %v", c.Text, err)
				}
				if !slices.Equal(ids, c.IDs) {
					if wrong++; wrong <= 3 {
						t.Errorf("%+q:\ngot  %v\nwant %v", c.Text, ids, c.IDs)
					}
				}
			}
			if wrong > 0 {
				t.Errorf("%d of %d differ", wrong, len(cases))
			}
		})
	}
}

// One vocabulary in three files: tokenizer.json, tokenizer.model, and (another, but of the same kind) GGUF.
func TestSentencePiecePublished(t *testing.T) {
	tok := open(t, need.Data(t, "tokenizers/mistral/tokenizer.model"))
	checkCases(t, tok, goldenCases(t, "real-mistral"))
	if bos, ok := tok.BOS(); !ok || bos != 1 || !tok.AddsBOS() {
		t.Errorf("BOS %d %v, adds %v", bos, ok, tok.AddsBOS())
	}
	if eos, ok := tok.EOS(); !ok || eos != 2 {
		t.Errorf("EOS %d %v", eos, ok)
	}
}
