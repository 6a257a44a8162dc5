package calib_test

import (
	"context"
	"fmt"
	"log"
	"strings"

	"avssnative/calib"
	"avssnative/engine"
	"avssnative/tokenizer"
)

// A text becomes sequences of at most 8 tokens, and these two halves: one to choose on, one to judge by.
func ExampleRead() {
	ctx := context.Background()
	model, err := engine.Open(ctx, "demo", engine.Options{})
	if err != nil {
		log.Fatal(err)
	}
	defer model.Close()
	words, err := tokenizer.Open(model.Folder)
	if err != nil {
		log.Fatal(err)
	}
	text, err := calib.Read(ctx, model, words, calib.Options{
		Files: []string{"-"}, Stdin: strings.NewReader("Anna has a red ball. The ball is in the box, and the box is in the house."), Length: 8})
	if err != nil {
		log.Fatal(err)
	}
	even, odd := text.Split()
	fmt.Println(len(text.Sequences), "sequences:", len(even.Sequences), "and", len(odd.Sequences))
	// Output: 3 sequences: 2 and 1
}
