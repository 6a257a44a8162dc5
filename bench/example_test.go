package bench_test

import (
	"context"
	"fmt"
	"log"
	"strings"

	"avssnative/avss"
	"avssnative/bench"
	"avssnative/engine"
	"avssnative/internal/smallworld"
	"avssnative/prune"
	"avssnative/tokenizer"
)

// The whole job on the demo: score the layers, choose a quarter of them, judge the model with and without, write the smaller one.
func Example() {
	ctx := context.Background()
	model, err := engine.Open(ctx, "demo", engine.Options{})
	check(err)
	words, err := tokenizer.Open(model.Folder)
	check(err)
	var text []engine.Sequence
	for _, document := range strings.Split(string(smallworld.Calibration()), smallworld.EndOfText)[:64] {
		ids, err := words.Encode(strings.TrimSpace(document), true)
		check(err)
		text = append(text, engine.Sequence{IDs: ids})
	}
	metric := avss.NewAVSS(avss.DefaultOptions())
	_, err = model.Run(ctx, engine.Pass{Sequences: text, Observe: []engine.Observer{metric}})
	check(err)
	scores, err := metric.Scores()
	check(err)
	plan, err := prune.Choose(scores, prune.Count(4), prune.Protect{})
	check(err)
	tasks, err := bench.Load(ctx, []string{"small_world_sentiment"}, bench.Source{}, bench.Limit{Items: 100})
	check(err)
	suite, err := bench.Prepare(tasks, words, bench.Options{MaxLength: 512})
	check(err)
	outcome, err := model.Run(ctx, engine.Pass{Sequences: suite.Sequences, Variants: []engine.Drop{nil, plan.Drop()}})
	check(err)
	for i, name := range []string{"whole", "smaller"} {
		results, err := suite.Score(outcome.Scores[i])
		check(err)
		fmt.Printf("%s: sentiment %.2f\n", name, results[0].Main().Value)
	}
	fmt.Println("dropped:", plan.Dropped)
	// prune.Write(ctx, model, plan.Drop(), "smaller", prune.Options{}) writes it.

	// Output:
	// whole: sentiment 1.00
	// smaller: sentiment 1.00
	// dropped: [12 13 14 15]
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
