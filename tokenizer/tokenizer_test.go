package tokenizer

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
	"pgregory.net/rapid"

	"avssnative/internal/need"
)

func textForm(name, text string) string {
	return map[string]norm.Form{"NFC": norm.NFC, "NFD": norm.NFD, "NFKC": norm.NFKC, "NFKD": norm.NFKD}[name].String(text)
}

// partsOf reads the splitters and the model of a file, without choosing a short way.
func partsOf(t testing.TB, file []byte) ([]splitter, model) {
	t.Helper()
	var parts struct {
		PreTokenizer json.RawMessage `json:"pre_tokenizer"`
		Model        json.RawMessage
	}
	if err := json.Unmarshal(file, &parts); err != nil {
		t.Fatal(err)
	}
	splitters, err := parseSplitters(parts.PreTokenizer, 0)
	if err != nil {
		t.Fatal(err)
	}
	m, _, err := parseModel(parts.Model)
	if err != nil {
		t.Fatal(err)
	}
	return splitters, m
}

func TestFolder(t *testing.T) {
	for _, c := range []struct {
		name, golden, config string
		bos, eos             int32
		adds                 bool
		special              []int32 // of "a"
	}{
		{"nothing said", "gpt2", ``, -1, -1, false, []int32{35}},
		{"named", "gpt2", `{"bos_token":"<s>","eos_token":{"content":"</s>","lstrip":false}}`, 1, 2, false, []int32{35}},
		{"null", "gpt2", `{"bos_token":null,"eos_token":"</s>","add_bos_token":false}`, -1, 2, false, []int32{35}},
		{"added", "gpt2", `{"bos_token":"<s>","eos_token":"</s>","add_bos_token":true,"add_eos_token":true}`, 1, 2, true, []int32{1, 35, 2}},
		{"template first", "llama3", `{"bos_token":"<|endoftext|>","add_bos_token":false}`, 0, -1, false, []int32{1, 35}},
		{"template alone", "llama3", ``, 1, -1, true, []int32{1, 35}},
		{"both ends", "bert", ``, 2, 3, true, []int32{2, 10, 3}},
	} {
		t.Run(c.name, func(t *testing.T) {
			folder := t.TempDir()
			for name, content := range map[string]string{"tokenizer.json": string(gunzip(t, "testdata/golden/"+c.golden+"/tokenizer.json.gz")),
				"tokenizer_config.json": c.config} {
				if content == "" {
					continue
				}
				if err := os.WriteFile(filepath.Join(folder, name), []byte(content), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			tok, err := Open(folder)
			if err != nil {
				t.Fatal(err)
			}
			bos, hasBOS := tok.BOS()
			eos, hasEOS := tok.EOS()
			if bos != c.bos || eos != c.eos || hasBOS != (c.bos >= 0) || hasEOS != (c.eos >= 0) || tok.AddsBOS() != c.adds {
				t.Errorf("BOS %d %v, EOS %d %v, adds %v", bos, hasBOS, eos, hasEOS, tok.AddsBOS())
			}
			ids, err := tok.Encode("a", true)
			if err != nil {
				t.Fatal(err)
			}
			plain, err := tok.Encode("a", false)
			if err != nil {
				t.Fatal(err)
			}
			at := slices.Index(c.special, 35)
			if at < 0 {
				at = 1
			}
			want := slices.Concat(c.special[:at], plain, c.special[at+1:])
			if !slices.Equal(ids, want) {
				t.Errorf("got %v, want %v", ids, want)
			}
		})
	}
}

func TestSentencePieceFolder(t *testing.T) {
	folder := t.TempDir()
	model := gunzip(t, "testdata/sentencepiece/bpe-bytes.model.gz")
	if err := os.WriteFile(filepath.Join(folder, "tokenizer.model"), model, 0o600); err != nil {
		t.Fatal(err)
	}
	tok, err := Open(folder)
	if err != nil {
		t.Fatal(err)
	}
	if !tok.AddsBOS() {
		t.Error("a BPE model adds no first token")
	}
	if err := os.WriteFile(filepath.Join(folder, "tokenizer_config.json"), []byte(`{"add_bos_token":false,"add_eos_token":true}`), 0o600); err != nil {
		t.Fatal(err)
	}
	if tok, err = Open(folder); err != nil {
		t.Fatal(err)
	}
	ids, err := tok.Encode("the", true)
	if err != nil {
		t.Fatal(err)
	}
	if tok.AddsBOS() || len(ids) < 2 || ids[len(ids)-1] != tok.eos {
		t.Errorf("%v, adds %v", ids, tok.AddsBOS())
	}
}

func TestSizeAndTokens(t *testing.T) {
	tok := small(t, "gpt2")
	first, ok := tok.Token(0)
	if id, found := tok.ID(first); tok.Size() != 700 || first != "<|endoftext|>" || !ok || id != 0 || !found || !tok.IsSpecial(0) || tok.IsSpecial(35) {
		t.Errorf("%d tokens, the first %q", tok.Size(), first)
	}
	for _, id := range []int32{-1, 700} {
		if token, ok := tok.Token(id); ok || token != "" || tok.IsSpecial(id) {
			t.Errorf("id %d is %q", id, token)
		}
	}
	if gpt2 := open(t, need.Data(t, "tokenizers/gpt2")); gpt2.Size() != 50257 {
		t.Errorf("gpt2 has %d ids", gpt2.Size())
	}
}

// What a tokenizer with a byte for everything encodes, it decodes to the same text.
func TestRoundTrip(t *testing.T) {
	for _, name := range []string{"gpt2", "llama3"} {
		tok := small(t, name)
		rapid.Check(t, func(t *rapid.T) {
			text := rapid.String().Draw(t, "text")
			if !utf8.ValidString(text) {
				t.Skip("not UTF-8")
			}
			ids, err := tok.Encode(text, false)
			if err != nil {
				t.Fatal(err)
			}
			back, err := tok.Decode(ids, false)
			if err != nil || back != text {
				t.Fatalf("%+q became %+q, %v", text, back, err)
			}
		})
	}
}

// Many goroutines share a tokenizer, and its cache of words turns over while they do.
func TestConcurrent(t *testing.T) {
	for _, name := range []string{"gpt2", "llama2-legacy", "unigram", "bert"} {
		tok := small(t, name)
		texts := oddTexts(17, 100)
		want := make([][]int32, len(texts))
		for i, text := range texts {
			want[i], _ = tok.Encode(text, true)
		}
		var group sync.WaitGroup
		for worker := range 4 {
			group.Go(func() {
				for i := range texts {
					i = (i*(2*worker+1) + worker) % len(texts)
					if got, err := tok.Encode(texts[i], true); err != nil || !slices.Equal(got, want[i]) {
						t.Errorf("%s: %+q: got %v, want %v, %v", name, texts[i], got, want[i], err)
					}
				}
			})
		}
		group.Wait()
	}
}

func TestWordCache(t *testing.T) {
	c := newWordCache()
	put := func(word string, ids ...int32) {
		_, slot := c.get(word)
		c.put(slot, word, ids)
	}
	put("a", 1, 2)
	if ids, _ := c.get("a"); !slices.Equal(ids, []int32{1, 2}) {
		t.Errorf("got %v", ids)
	}
	put("empty")
	put(strings.Repeat("x", longestCached+1), 1)
	put("many", make([]int32, mostCachedToks+1)...)
	for _, word := range []string{"empty", strings.Repeat("x", longestCached+1), "many", "b"} {
		if ids, _ := c.get(word); ids != nil {
			t.Errorf("%q: got %v", word, ids)
		}
	}
	ids := []int32{5}
	put("own", ids...)
	ids[0] = 6
	if got, _ := c.get("own"); got[0] != 5 {
		t.Error("the cache shares memory with its caller")
	}
}
