package bench

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestMcNemar(t *testing.T) {
	for _, test := range []struct {
		lost, won int
		name      string
		p         float64
	}{
		{0, 0, "McNemar, exact binomial", 1},
		{3, 3, "McNemar, exact binomial", 1},             // the middle is counted from both sides
		{10, 2, "McNemar, exact binomial", 158.0 / 4096}, // 2 · (1 + 12 + 66) / 2¹²
		{0, 5, "McNemar, exact binomial", 1.0 / 16},
		{12, 12, "McNemar, exact binomial", 1},
		// χ² with one degree of freedom is a squared normal: its upper tail is erfc(√(χ²/2)).
		{5, 30, "McNemar, chi-square with continuity correction", math.Erfc(math.Sqrt(24 * 24 / 35.0 / 2))},
		{13, 13, "McNemar, chi-square with continuity correction", 1},
	} {
		got := McNemar(test.lost, test.won)
		if got.Name != test.name || math.Abs(got.P-test.p) > 1e-12 || got.Lost != test.lost || got.Won != test.won {
			t.Errorf("%d lost, %d won: %+v, want %s, p %v", test.lost, test.won, got, test.name, test.p)
		}
	}
}

func TestPairedBootstrap(t *testing.T) {
	random := rand.New(rand.NewPCG(7, 0))
	n := 200
	before, worse, same, weights := make([]float64, n), make([]float64, n), make([]float64, n), make([]float64, n)
	for i := range before {
		weights[i] = 10 + random.Float64()*50
		before[i] = weights[i] * (2 + random.NormFloat64()) // documents differ far more than models do
		worse[i] = before[i] + weights[i]*(0.05+0.2*random.NormFloat64())
		same[i] = before[i] + weights[i]*0.2*random.NormFloat64()
	}
	a, b := PairedBootstrap(before, worse, weights, 1), PairedBootstrap(before, worse, weights, 1)
	if a != b {
		t.Errorf("%+v and %+v with the same seed", a, b)
	}
	if c := PairedBootstrap(before, worse, weights, 2); c == a {
		t.Error("another seed drew the same")
	}
	// The mean difference has a standard error of about 0.2/√200 = 0.014.
	if a.P > 0.01 || a.Low > a.Difference || a.High < a.Difference || a.High-a.Low < 0.03 || a.High-a.Low > 0.1 || math.Abs(a.Difference-0.05) > 0.05 {
		t.Errorf("a loss of 0.05 ± 0.014 came out as %+v", a)
	}
	if d := PairedBootstrap(before, same, weights, 1); d.P < 0.01 {
		t.Errorf("no difference came out as %+v", d)
	}
	if e := PairedBootstrap(before, before, weights, 1); e.P != 1 || e.Difference != 0 {
		t.Errorf("a model against itself came out as %+v", e)
	}
	if f := PairedBootstrap(before[:1], worse[:1], weights[:1], 1); f.P != 1 || f.Low != f.High {
		t.Errorf("one document came out as %+v", f)
	}
}

// answered is a result of the given right and wrong answers among two choices.
func answered(task string, right ...bool) Result {
	r := Result{Task: task, Version: "1", Primary: "acc", N: len(right), MaxLength: 8}
	for i, ok := range right {
		record := Record{Item: i, LogLikelihoods: []float64{-1, -2}, Greedy: []bool{true, false}, Tokens: 2, KL: 0.5, SameTop: 1}
		if !ok {
			record.Gold = 0
			record.Chosen = 1
		}
		r.Items = append(r.Items, record)
	}
	r.measure([]string{"acc"})
	return r
}

func rolled(nll ...float64) Result {
	r := Result{Task: "rolled", Version: "1", Kind: Rolling, Primary: "word_perplexity", N: len(nll), MaxLength: 8, Convention: "rolling windows"}
	for i, l := range nll {
		r.Items = append(r.Items, Record{Item: i, LogLikelihoods: []float64{-l}, Words: 2, Bytes: 5, Tokens: 3, KL: 3, SameTop: 0})
	}
	r.measure(rollingMetrics)
	return r
}

func TestCompare(t *testing.T) {
	dense := []Result{answered("a", true, true, true, true, true, true, true, true), rolled(2, 4), answered("b", true, false, true, false)}
	pruned := []Result{answered("a", true, true, true, true, true, true, false, false), rolled(4, 6), answered("b", true, true, true, true)}
	j, err := Compare(dense, pruned, 0)
	if err != nil {
		t.Fatal(err)
	}
	a, p := j.Tasks[0], j.Tasks[1]
	if a.Retention != 0.75 || a.ChanceCorrected != 0.5 || a.Chance != 0.5 || a.Test.Lost != 2 || a.Test.Won != 0 || a.Test.P != 0.5 || !a.Counts ||
		a.Flips != 0.25 {
		t.Errorf("accuracy %+v", a)
	}
	// Four nats more over four words: perplexities are exp(6/4) and exp(10/4).
	if !near(p.Retention, math.Exp(-1)) || !near(p.Retention, p.Dense.Value/p.Pruned.Value) || p.ChanceCorrected != p.Retention ||
		p.Test.Difference != 1 {
		t.Errorf("perplexity %+v", p)
	}
	// Perplexities stand apart from accuracies, and b, where the dense model guesses, says nothing of what was kept.
	if j.MeanOfRatios != 0.75 || j.MeanOfCorrected != 0.5 || j.RatioOfMeans != 0.75 || j.Tasks[2].Counts || !near(j.Flips, (0.25+0.5)/2) {
		t.Errorf("%+v", j)
	}
	// Two of eight answers lost, 1/2 to 1 of them kept with 95 % confidence.
	if i := j.RatiosInterval; i != a.RetentionInterval || i.Low < 0.3 || i.Low > 0.6 || i.High != 1 || j.CorrectedInterval.Low != 2*i.Low-1 {
		t.Errorf("intervals %+v, %+v", i, j.CorrectedInterval)
	}
	// Sixteen and eight tokens with 0.5 nats every two, six with 6; half of the tops of those are the same, none of these.
	if j.Tokens != 30 || !near(j.KL, 12.0/30) || !near(j.SameTop, 12.0/30) || !(j.KLStderr > 0) {
		t.Errorf("divergence %v ± %v, same top %v over %d tokens", j.KL, j.KLStderr, j.SameTop, j.Tokens)
	}
	only, err := Compare(dense[1:2], pruned[1:2], 0)
	if err != nil || !near(only.MeanOfRatios, math.Exp(-1)) || !math.IsNaN(only.RatioOfMeans) || !math.IsNaN(only.Flips) {
		t.Errorf("perplexities alone: %+v, %v", only, err)
	}
}

func TestCompareWhereThereIsNothingToKeep(t *testing.T) {
	j, err := Compare([]Result{answered("a", true, false)}, []Result{answered("a", true, true)}, 0)
	if err != nil {
		t.Fatal(err)
	}
	if c := j.Tasks[0]; c.Retention != 2 || !math.IsNaN(c.ChanceCorrected) {
		t.Errorf("at chance before: %+v", c)
	}
	j, err = Compare([]Result{answered("a", false)}, []Result{answered("a", true)}, 0)
	if err != nil {
		t.Fatal(err)
	}
	if c := j.Tasks[0]; !math.IsNaN(c.Retention) || !math.IsNaN(j.MeanOfRatios) {
		t.Errorf("nothing right before: %+v", c)
	}
	j, err = Compare([]Result{rolled(1, 2)}, []Result{rolled(5000, 5000)}, 0)
	if err != nil {
		t.Fatal(err)
	}
	if c := j.Tasks[0]; c.Retention != 0 || !math.IsInf(c.Pruned.Value, 1) {
		t.Errorf("a perplexity beyond numbers: %+v", c)
	}
}

func TestCompareRefuses(t *testing.T) {
	a := answered("a", true, false)
	for name, other := range map[string]func(*Result){
		"another task":       func(r *Result) { r.Task = "b" },
		"another version":    func(r *Result) { r.Version = "2" },
		"BOS":                func(r *Result) { r.BOS = true },
		"length":             func(r *Result) { r.MaxLength = 16 },
		"convention":         func(r *Result) { r.Convention = "chunk-8" },
		"fewer items":        func(r *Result) { r.Items = r.Items[:1] },
		"other items":        func(r *Result) { r.Items[1].Item = 5 },
		"other right answer": func(r *Result) { r.Items[1].Gold = 1 },
	} {
		b := answered("a", true, false)
		other(&b)
		if _, err := Compare([]Result{a}, []Result{b}, 0); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	if _, err := Compare([]Result{a}, nil, 0); err == nil {
		t.Error("one result against none: no error")
	}
}

func TestAgree(t *testing.T) {
	a, err := Agree(map[string][]float64{"up": {1, 2, 3, 4}, "down": {4, 3, 2, 1}, "mixed": {1, 2, 4, 3}, "flat": {1, 1, 1, 1}})
	if err != nil {
		t.Fatal(err)
	}
	if !cmp.Equal(a.Metrics, []string{"down", "flat", "mixed", "up"}) {
		t.Fatalf("%v", a.Metrics)
	}
	if a.Tau[0][3] != -1 || a.Tau[3][3] != 1 || !near(a.Tau[2][3], 4.0/6) || !math.IsNaN(a.Tau[1][3]) {
		t.Errorf("τ %v", a.Tau)
	}
	_, err = Agree(map[string][]float64{"a": {1, 2}, "b": {1}})
	wantError(t, err, "bench: agreement")
}
