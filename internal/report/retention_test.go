package report

import (
	"math"
	"strings"
	"testing"

	"avssnative/avss"
)

// judged is a task whose dense model has a value and whose pruned one kept a share of it.
func judged(name string, chance, dense, stderr, kept float64) Task {
	value := avss.Value(dense * kept)
	if dense == 0 {
		kept = nan
	}
	return Task{Name: name, N: 100, Metric: "acc", Chance: chance, Dense: Figure{avss.Value(dense), avss.Value(stderr)},
		Pruned: &Figure{value, avss.Value(stderr)}, Change: &Change{Retention: avss.Value(kept), ChanceCorrected: avss.Value(kept - 0.125)}}
}

// A task at chance and one without a defined retention are shown and named, and count in nothing.
func TestTasksThatDoNotCount(t *testing.T) {
	r := sample(8)
	r.Tasks = Tasks{judged("solid", 0.25, 0.75, 0.02, 0.5), judged("guessed", 0.5, 0.52, 0.02, 1.25), judged("void", 0, 0, 0, 1),
		judged("other", 0.5, 0.875, 0.02, 1)}
	r.Retention = r.Tasks.Means()
	if *r.Retention != (Retention{MeanOfRatios: 0.75, MeanOfCorrected: 0.625, RatioOfMeans: avss.Value((0.375 + 0.875) / (0.75 + 0.875))}) {
		t.Errorf("means %v", *r.Retention)
	}
	verdict := r.Verdict()
	if want := "it keeps 62.5 % of what lies beyond chance and 75.0 % raw, on 2 tasks"; !strings.Contains(verdict[1], want) {
		t.Errorf("%q, want in it %q", verdict[1], want)
	}
	if want := "not counted: guessed (the dense model is not above chance); void (retention is undefined)."; !strings.HasSuffix(verdict[2], want) {
		t.Errorf("%q, want at its end %q", verdict[2], want)
	}
	for name, render := range forms(r) {
		out := rendered(t, render)
		if strings.Contains(out, "NaN") {
			t.Errorf("%s says NaN", name)
		}
		if name != "csv" && !strings.Contains(strings.Join(strings.Fields(out), " "), "guessed (the dense model is not above chance)") {
			t.Errorf("%s does not say that a task does not count", name)
		}
		if !strings.Contains(out, "guessed") || !strings.Contains(out, "void") {
			t.Errorf("%s leaves a task out", name)
		}
	}
	if got := r.Tasks[1].Kept(); got != "125.0 % (the dense model is not above chance)" {
		t.Errorf("%q", got)
	}
	if got := r.Tasks[2].Kept(); got != unknown {
		t.Errorf("%q", got)
	}
}

func TestNoTaskCounts(t *testing.T) {
	r := sample(8)
	r.Tasks = Tasks{judged("void", 0, 0, 0, 1)}
	r.Divergence = nil
	if got := r.Verdict(); !strings.Contains(got[0], "was judged on no task that tells what it keeps") {
		t.Errorf("%q", got)
	}
	if k := r.Tasks.Means(); !math.IsNaN(float64(k.MeanOfRatios)) || !math.IsNaN(float64(k.RatioOfMeans)) {
		t.Errorf("means %v", *k)
	}
}

func TestAtChance(t *testing.T) {
	for _, c := range []struct {
		chance, dense float64
		want          bool
	}{{0.25, 0.3, true}, {0.25, 0.33, false}, {0.5, 0.5, true}, {0.5, 0.31, true}, {0.5, 0.58, true}, {0.5, 0.6, false}, {0, 0, false}} {
		task := judged("x", c.chance, c.dense, 0.03, 1)
		if got := task.AtChance(); got != c.want {
			t.Errorf("%+v: %v", c, got)
		}
		point := TaskPoint{Chance: c.chance, Value: avss.Value(c.dense), N: 100}
		if got := point.AtChance(); got != c.want {
			t.Errorf("%+v in a sweep: %v", c, got)
		}
	}
}

// Many names do not make a sentence endless.
func TestNamesInASentence(t *testing.T) {
	if got := named([]string{"a", "b", "c", "d", "e", "f", "g"}, inSentence); got != "a, b, c, d, e and 2 more" {
		t.Errorf("%q", got)
	}
	r := sample(1000)
	for l := 2; l < 1000; l += 2 {
		r.Plan.Dropped = append(r.Plan.Dropped, l)
	}
	if got := r.Verdict()[0]; !strings.Contains(got, "500 layers (500 of 1000,") {
		t.Errorf("%.200q", got)
	}
}
