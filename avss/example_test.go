package avss_test

import (
	"context"
	"fmt"
	"log"
	"slices"

	"avssnative/avss"
	"avssnative/calib"
	"avssnative/engine"
	"avssnative/tokenizer"
)

// Two metrics are measured in one walk, and name the four layers that each would let go first.
func Example() {
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
	text, err := calib.Read(ctx, model, words, calib.Options{Tokens: 2048})
	if err != nil {
		log.Fatal(err)
	}
	influence, err := avss.New("bi", avss.Options{})
	if err != nil {
		log.Fatal(err)
	}
	metrics := []avss.Metric{avss.NewAVSS(avss.Options{}), influence}
	if _, err := model.Run(ctx, engine.Pass{Sequences: text.Sequences, Observe: []engine.Observer{metrics[0], metrics[1]}}); err != nil {
		log.Fatal(err)
	}
	for _, metric := range metrics {
		scores, err := metric.Scores()
		if err != nil {
			log.Fatal(err)
		}
		first := scores.Ranking()[:4]
		slices.Sort(first)
		fmt.Println(scores.Key(), first)
	}
	// Output:
	// avss [12 13 14 15]
	// bi [12 13 14 15]
}

// The same order is 1, the reverse −1.
func ExampleKendallTau() {
	fmt.Println(avss.KendallTau([]float64{1, 2, 3, 4}, []float64{10, 20, 40, 30}))
	// Output: 0.6666666666666666
}
