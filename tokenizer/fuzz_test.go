package tokenizer

import (
	"bytes"
	"testing"
	"unicode/utf8"
)

// use encodes and decodes with whatever was read; nothing may be fatal, and ids must be the tokenizer's own.
func use(t *testing.T, tok *Tokenizer) {
	for _, text := range []string{"", "a", " The cat's 123 mats.\n\n", "e\u0301\u00e9漢字 <s>ab</s>", "▁▁x \t"} {
		ids, err := tok.Encode(text, true)
		if err != nil {
			continue
		}
		if _, err := tok.Decode(ids, false); err != nil {
			t.Fatalf("%q: %v: %v", text, ids, err)
		}
	}
}

func FuzzReadJSON(f *testing.F) {
	for _, name := range []string{"bert", "unigram"} {
		f.Add(gunzip(f, "testdata/golden/"+name+"/tokenizer.json.gz"))
	}
	for _, v := range variants[7:] { // small files around the components of the variants
		file := `{"added_tokens":[{"id":3,"content":"the","lstrip":true,"normalized":true,"special":true}]`
		for _, key := range []string{"normalizer", "pre_tokenizer", "post_processor", "decoder"} {
			if part := v.changes[key]; part != "" {
				file += `,"` + key + `":` + part
			}
		}
		f.Add([]byte(file + `,"model":{"type":"BPE","unk_token":"a","fuse_unk":true,"byte_fallback":true,"vocab":{"a":0,"b":1,"ab":2},"merges":["a b"]}}`))
		f.Add([]byte(file + `,"model":{"type":"Unigram","unk_id":0,"vocab":[["a",0],["b",-1],["ab",-1.5]]}}`))
		f.Add([]byte(file + `,"model":{"type":"WordPiece","unk_token":"a","vocab":{"a":0,"##b":1,"ab":2}}}`))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if tok, err := readJSON(data, "fuzz"); err == nil {
			use(t, tok)
		} else if bytes.ContainsRune([]byte(err.Error()), '\n') {
			t.Fatalf("more than a line: %q", err)
		}
	})
}

func FuzzReadSentencePiece(f *testing.F) {
	for _, name := range []string{"bpe-bytes", "bpe-user", "unigram-bytes", "unigram-user"} {
		f.Add(gunzip(f, "testdata/sentencepiece/"+name+".model.gz"))
	}
	f.Add(append(protoPiece("<unk>", pieceUnknown), protoPiece("a", pieceNormal)...))
	f.Fuzz(func(t *testing.T, data []byte) {
		if tok, err := readSentencePiece(data, "fuzz"); err == nil {
			use(t, tok)
		}
	})
}

func FuzzEncode(f *testing.F) {
	gpt2, llama3, legacy := small(f, "gpt2"), small(f, "llama3"), small(f, "llama2-legacy")
	for _, text := range oddTexts(23, 40) {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		for _, tok := range []*Tokenizer{gpt2, llama3} {
			ids, err := tok.Encode(text, false)
			if !utf8.ValidString(text) {
				if err == nil {
					t.Fatalf("%+q was encoded", text)
				}
				continue
			}
			if err != nil {
				t.Fatal(err)
			}
			if back, err := tok.Decode(ids, false); err != nil || back != text {
				t.Fatalf("%+q became %+q, %v", text, back, err)
			}
		}
		if _, err := legacy.Encode(text, true); err != nil && utf8.ValidString(text) {
			t.Fatal(err)
		}
	})
}
