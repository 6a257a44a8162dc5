package tokenizer

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"avssnative/internal/need"
)

// A goldenCase is what the tokenizers library makes of a text: ids without and with special tokens, and the text of the former.
type goldenCase struct {
	Text    string
	IDs     []int32
	Special []int32
	Decoded string
}

func gunzip(t testing.TB, path string) []byte {
	t.Helper()
	packed, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	r, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		t.Fatal(err)
	}
	data, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func goldenCases(t testing.TB, name string) []goldenCase {
	t.Helper()
	var cases []goldenCase
	if err := json.Unmarshal(gunzip(t, filepath.Join("testdata", "golden", name, "cases.json.gz")), &cases); err != nil {
		t.Fatal(err)
	}
	return cases
}

var smallNames = []string{"bert", "gpt2", "llama2-legacy", "llama2-metaspace", "llama3", "qwen2", "unigram"}

func small(t testing.TB, name string) *Tokenizer {
	t.Helper()
	tok, err := readJSON(gunzip(t, filepath.Join("testdata", "golden", name, "tokenizer.json.gz")), name)
	if err != nil {
		t.Fatal(err)
	}
	return tok
}

func checkCases(t *testing.T, tok *Tokenizer, cases []goldenCase) {
	t.Helper()
	wrong := 0
	for _, c := range cases {
		ids, err := tok.Encode(c.Text, false)
		if err != nil {
			t.Fatalf("%q: %v", c.Text, err)
		}
		special, err := tok.Encode(c.Text, true)
		if err != nil {
			t.Fatalf("%q: %v", c.Text, err)
		}
		decoded, err := tok.Decode(c.IDs, false)
		if err != nil {
			t.Fatalf("%q: %v", c.Text, err)
		}
		if !slices.Equal(ids, c.IDs) || !slices.Equal(special, c.Special) || decoded != c.Decoded {
			if wrong++; wrong <= 5 {
				t.Errorf("%q:\nids     %v\nwant    %v\nspecial %v\nwant    %v\ndecoded %q\nwant    %q", c.Text, ids, c.IDs, special, c.Special, decoded,
					c.Decoded)
			}
		}
	}
	if wrong > 0 {
		t.Errorf("%d of %d cases differ", wrong, len(cases))
	}
}

func TestGolden(t *testing.T) {
	for _, name := range smallNames {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			checkCases(t, small(t, name), goldenCases(t, name))
		})
	}
}

// Vocabularies are read once for all tests.
var opened sync.Map

func open(t testing.TB, path string) *Tokenizer {
	t.Helper()
	once, _ := opened.LoadOrStore(path, sync.OnceValues(func() (*Tokenizer, error) { return Open(path) }))
	tok, err := once.(func() (*Tokenizer, error))()
	if err != nil {
		t.Fatal(err)
	}
	return tok
}

func TestGoldenPublished(t *testing.T) {
	for _, name := range []string{"real-gpt2", "real-mistral", "real-neox-pythia"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tok := open(t, need.Data(t, "tokenizers/"+strings.TrimPrefix(name, "real-")))
			checkCases(t, tok, goldenCases(t, name))
		})
	}
}
