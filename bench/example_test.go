package bench_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"path/filepath"

	"avssnative/avss"
	"avssnative/bench"
	"avssnative/calib"
	"avssnative/engine"
	"avssnative/prune"
	"avssnative/tokenizer"
)

// The whole job on the demo: score the layers, choose a quarter of them, judge the model with and without, write the pruned one.
func Example() {
	ctx := context.Background()
	model := must(engine.Open(ctx, "demo", engine.Options{}))
	defer model.Close()
	words := must(tokenizer.Open(model.Folder))
	text := must(calib.Read(ctx, model, words, calib.Options{Tokens: 8192}))
	metric := avss.NewAVSS(avss.Options{})
	must(model.Run(ctx, engine.Pass{Sequences: text.Sequences, Observe: []engine.Observer{metric}}))
	plan := must(prune.Choose(must(metric.Scores()), must(prune.ParseRule("25%")), prune.Protect{}))
	reviews := must(bench.Load(ctx, []string{"small_world_sentiment"}, bench.Source{}, bench.Limit{Items: 100}))
	suite := must(bench.Prepare(reviews, words, bench.Options{MaxLength: model.Spec.Context}))
	scores := must(model.Run(ctx, engine.Pass{Sequences: suite.Sequences, Variants: []engine.Drop{nil, plan.Drop()}})).Scores
	for i, name := range []string{"dense", "pruned"} {
		fmt.Printf("%s: sentiment %.2f\n", name, must(suite.Score(scores[i]))[0].Main().Value)
	}
	fmt.Println("dropped:", plan.Dropped)
	folder := must(os.MkdirTemp("", ""))
	defer os.RemoveAll(folder)
	must(0, prune.Write(ctx, model, plan.Drop(), filepath.Join(folder, "pruned"), prune.Options{}))

	// Output:
	// dense: sentiment 1.00
	// pruned: sentiment 1.00
	// dropped: [12 13 14 15]
}

// must ends the example on an error.
func must[T any](value T, err error) T {
	if err != nil {
		log.Fatal(err)
	}
	return value
}
