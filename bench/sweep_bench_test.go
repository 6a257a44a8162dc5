package bench

import (
	"testing"
	"time"

	"avssnative/engine"
	"avssnative/tokenizer"
)

// BenchmarkSweep judges the demo without a sixteenth to a half of its layers, chosen from both ends and at random: "together" in the
// passes of one sweep, "alone" every distinct set in a pass of its own. "ratio" is how many times as long the second takes, measured in
// turn with the first; "points/s" counts what a metric and a count stand for, judged once where two choose the same.
//
//	go test -run '^$' -bench Sweep -count 6 ./bench | tee new.txt && go tool benchstat new.txt
func BenchmarkSweep(b *testing.B) {
	model, err := engine.Open(b.Context(), "demo", engine.Options{Device: "cpu"})
	if err != nil {
		b.Fatal(err)
	}
	defer model.Close()
	words, err := tokenizer.Open(model.Folder)
	if err != nil {
		b.Fatal(err)
	}
	items := 50
	if testing.Short() {
		items = 5
	}
	sets, err := Load(b.Context(), []string{"small_world_qa", "small_world_sentiment"}, Source{}, Limit{Items: items})
	if err != nil {
		b.Fatal(err)
	}
	suite, err := Prepare(sets, words, Options{MaxLength: model.Spec.Context})
	if err != nil {
		b.Fatal(err)
	}
	sweep := Sweep{Layers: model.Layers(), Counts: []int{1, 2, 4, 6, 8}, Seeds: []uint64{0, 1}, Suite: suite, Metrics: map[string]Chooser{
		"middle": func(count int) (engine.Drop, error) { return run(8-count/2, 8-count/2+count), nil },
		"late":   func(count int) (engine.Drop, error) { return run(15-count, 15), nil },
	}}
	table, err := sweep.Run(b.Context(), model)
	if err != nil {
		b.Fatal(err)
	}
	together := func() time.Duration {
		begin := time.Now()
		if _, err := sweep.Run(b.Context(), model); err != nil {
			b.Fatal(err)
		}
		return time.Since(begin)
	}
	alone := func() time.Duration {
		begin := time.Now()
		for _, set := range table.Sets {
			outcome, err := model.Run(b.Context(), engine.Pass{Sequences: suite.Sequences, Variants: []engine.Drop{set.Drop}})
			if err != nil {
				b.Fatal(err)
			}
			if _, err := suite.Score(outcome.Scores[0]); err != nil {
				b.Fatal(err)
			}
		}
		return time.Since(begin)
	}
	b.Run("way=together", func(b *testing.B) {
		for b.Loop() {
			together()
		}
		b.ReportMetric(float64(len(table.Points)*b.N)/b.Elapsed().Seconds(), "points/s")
		b.ReportMetric(float64(table.Blocks), "blocks")
		b.ReportMetric(float64(table.Passes), "passes")
	})
	b.Run("way=alone", func(b *testing.B) {
		var first, second time.Duration
		for b.Loop() {
			first += together()
			second += alone()
		}
		b.ReportMetric(second.Seconds()/first.Seconds(), "ratio")
		blocks := 0
		for _, set := range table.Sets {
			blocks += table.Layers - len(set.Drop)
		}
		b.ReportMetric(float64(blocks), "blocks")
	})
}
