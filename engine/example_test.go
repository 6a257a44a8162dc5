package engine_test

import (
	"context"
	"fmt"
	"log"

	"avssnative/engine"
	"avssnative/tokenizer"
)

// Two models are judged in one walk: the dense one, and one without its last four layers.
func ExampleModel_Run() {
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
	ids, err := words.Encode("Anna has a red ball. The ball is in the box.", true)
	if err != nil {
		log.Fatal(err)
	}
	outcome, err := model.Run(ctx, engine.Pass{
		Sequences: []engine.Sequence{{IDs: ids, ScoreFrom: 1, ScoreTo: len(ids)}},
		Variants:  []engine.Drop{nil, engine.Layers(12, 13, 14, 15)},
		Diverge:   true,
	})
	if err != nil {
		log.Fatal(err)
	}
	dense, pruned := outcome.Scores[0][0], outcome.Scores[1][0]
	fmt.Println("tokens:", dense.Tokens)
	fmt.Println("layers computed:", outcome.Blocks, "instead of", outcome.Alone)
	fmt.Println("the pruned model differs:", pruned.KL > 0 && pruned.LogLikelihood != dense.LogLikelihood)
	// Output:
	// tokens: 13
	// layers computed: 16 instead of 28
	// the pruned model differs: true
}

// A text is continued, the most likely token at a time.
func ExampleModel_Generate() {
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
	ids, err := words.Encode("The children went", true)
	if err != nil {
		log.Fatal(err)
	}
	said, err := model.Generate(ctx, []engine.Request{{IDs: ids, Tokens: 6}}, engine.Generating{})
	if err != nil {
		log.Fatal(err)
	}
	text, err := words.Decode(said[0], true)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%q\n", text)
	// Output: " to the school. Noah hurried"
}

func ExampleParseDrop() {
	drop, err := engine.ParseDrop("3,7.attn,11.mlp")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(drop, drop.Layers(), drop.Has(engine.Unit{Layer: 7, Part: engine.MLP}))
	// Output: 3,7.attn,11.mlp [3] false
}
