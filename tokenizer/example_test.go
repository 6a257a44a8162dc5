package tokenizer_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"path/filepath"

	"avssnative/failure"
	"avssnative/tokenizer"
)

// A tokenizer.json small enough to read: four letters, two merges, and a token that stands in front of every text.
const file = `{
	"added_tokens": [{"id": 6, "content": "<s>", "special": true}],
	"post_processor": {"type": "TemplateProcessing", "single": [{"SpecialToken": {"id": "<s>"}}, {"Sequence": {"id": "A"}}],
		"special_tokens": {"<s>": {"ids": [6]}}},
	"decoder": {"type": "Fuse"},
	"model": {"type": "BPE", "vocab": {"h": 0, "e": 1, "l": 2, "o": 3, "he": 4, "ll": 5}, "merges": ["h e", "l l"]}
}`

func open() *tokenizer.Tokenizer {
	folder, err := os.MkdirTemp("", "")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(folder)
	if err := os.WriteFile(filepath.Join(folder, "tokenizer.json"), []byte(file), 0o600); err != nil {
		log.Fatal(err)
	}
	t, err := tokenizer.Open(folder)
	if err != nil {
		log.Fatal(err)
	}
	return t
}

func ExampleTokenizer_Encode() {
	t := open()
	ids, err := t.Encode("hello", true)
	if err != nil {
		log.Fatal(err)
	}
	text, err := t.Decode(ids, true)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(ids, text)
	// Output: [6 4 5 3] hello
}

func ExampleTokenizer_EncodeOffsets() {
	t, text := open(), "hello"
	tokens, err := t.EncodeOffsets(context.Background(), text, false)
	if err != nil {
		log.Fatal(err)
	}
	for _, token := range tokens {
		fmt.Printf("%d %q\n", token.ID, text[token.Start:token.End])
	}
	// Output:
	// 4 "he"
	// 5 "ll"
	// 3 "o"
}

func ExampleTokenizer_AddsBOS() {
	t := open()
	bos, ok := t.BOS()
	token, _ := t.Token(bos)
	fmt.Println(t.Size(), ok, token, t.AddsBOS(), t.AddsEOS())
	// Output: 7 true <s> true false
}

func ExampleOpen() {
	_, err := tokenizer.Open("no/such/model")
	fmt.Println(errors.Is(err, failure.NotFound), errors.Is(err, os.ErrNotExist))
	// Output: true true
}
