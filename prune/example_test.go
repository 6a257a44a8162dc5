package prune_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"path/filepath"

	"avssnative/avss"
	"avssnative/engine"
	"avssnative/prune"
)

// A quarter of the layers goes: those with the lowest scores, but for the first two and the last.
func ExampleChoose() {
	scores := avss.Scores{Metric: "avss", Values: avss.Values{0.1, 0.9, 0.3, 0.2, 0.8, 0.4, 0.7, 0.05}}
	rule, err := prune.ParseRule("25%")
	if err != nil {
		log.Fatal(err)
	}
	plan, err := prune.Choose(scores, rule, prune.Protect{First: 2, Last: 1})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("dropped:", plan.Dropped, "kept:", plan.Kept)
	_, err = prune.Choose(scores, prune.Count(6), prune.Protect{First: 2, Last: 1})
	var refused *prune.Refused
	fmt.Println("six of five:", errors.As(err, &refused))
	// Output:
	// dropped: [2 3] kept: [0 1 4 5 6 7]
	// six of five: true
}

// The pruned model appears under its name once it has been opened again and compared with what the walk computes without these layers.
func ExampleWrite() {
	ctx := context.Background()
	model, err := engine.Open(ctx, "demo", engine.Options{})
	if err != nil {
		log.Fatal(err)
	}
	defer model.Close()
	folder, err := os.MkdirTemp("", "")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(folder)
	path := filepath.Join(folder, "pruned")
	if err := prune.Write(ctx, model, engine.Layers(12, 13, 14, 15), path, prune.Options{}); err != nil {
		log.Fatal(err)
	}
	pruned, err := model.Sibling(ctx, path)
	if err != nil {
		log.Fatal(err)
	}
	defer pruned.Close()
	fmt.Println(model.Layers(), "layers before,", pruned.Layers(), "after")
	// Output: 16 layers before, 12 after
}
