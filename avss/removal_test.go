package avss

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"avssnative/engine"
	"avssnative/failure"

	"github.com/google/go-cmp/cmp"
)

// fake is a model whose loss is known: a sequence of n scored tokens loses n times the sum of cost over what was dropped, plus pair where
// both of two layers are gone.
type fake struct {
	cost   []float64
	a, b   int
	pair   float64
	passes []engine.Pass
	fail   error
	spoil  bool
}

func (f *fake) Layers() int { return len(f.cost) }

func (f *fake) Run(_ context.Context, p engine.Pass) (*engine.Outcome, error) {
	f.passes = append(f.passes, p)
	if p.Progress != nil {
		work := float64(len(p.Variants) * len(p.Variants))
		p.Progress(engine.Step{Done: work / 2, Total: work})
		p.Progress(engine.Step{Done: work, Total: work})
	}
	out := &engine.Outcome{Blocks: 1, Alone: len(p.Variants)}
	for _, drop := range p.Variants {
		if !slices.IsSorted(drop.Layers()) {
			return nil, errors.New("a variant is not ascending")
		}
		loss := 1.0
		for _, l := range drop.Layers() {
			loss += f.cost[l]
		}
		if drop.Has(engine.Unit{Layer: f.a}) && drop.Has(engine.Unit{Layer: f.b}) {
			loss += f.pair
		}
		if f.spoil && len(drop) > 0 {
			loss = math.NaN()
		}
		score := func(tokens int) engine.Score {
			// The loss grows with the length, so that a mean over sequences is not the mean over tokens.
			return engine.Score{Tokens: tokens, LogLikelihood: -loss * float64(tokens*tokens), KL: (loss - 1) * float64(tokens),
				SameTop: max(0, tokens-len(drop))}
		}
		var row []engine.SequenceScore
		for _, s := range p.Sequences {
			one := engine.SequenceScore{Score: score(s.ScoreTo - s.ScoreFrom)}
			for _, b := range s.Branches {
				one.Branches = append(one.Branches, score(len(b)))
			}
			row = append(row, one)
		}
		out.Scores = append(out.Scores, row)
	}
	return out, f.fail
}

func scored(lengths ...int) engine.Pass {
	var p engine.Pass
	for _, n := range lengths {
		p.Sequences = append(p.Sequences, engine.Sequence{IDs: make([]int32, n+1), ScoreFrom: 1, ScoreTo: n + 1})
	}
	return p
}

func TestRemovalByDefinition(t *testing.T) {
	f := &fake{cost: []float64{0.5, 0.25, 0.125}, a: -1}
	p := scored(2, 4)
	p.Sequences[0].Branches = [][]int32{{1}, {1, 2, 3}}
	l, err := MeasureRemoval(context.Background(), f, p, Options{Resamples: 20})
	if err != nil {
		t.Fatal(err)
	}
	if len(f.passes) != 1 || len(f.passes[0].Variants) != 4 || f.passes[0].Variants[0] != nil || !f.passes[0].Diverge {
		t.Fatalf("passes %+v, want one of the dense model and three removals", f.passes)
	}
	const tokens, squares = 2 + 1 + 3 + 4, 4 + 1 + 9 + 16
	ppl, err := l.PPL()
	if err != nil {
		t.Fatal(err)
	}
	kl, err := l.KL()
	if err != nil {
		t.Fatal(err)
	}
	same, err := l.SameTop()
	if err != nil {
		t.Fatal(err)
	}
	near(t, "dense", float64(ppl.Dense), math.Exp(squares/10.), 1e-15)
	for i, c := range f.cost {
		near(t, "ppl", ppl.Values[i], math.Exp((1+c)*squares/tokens), 1e-15)
		near(t, "kl", kl.Values[i], c, 1e-15)
		near(t, "same", same[i], 6./10, 1e-15)
	}
	if ppl.Mode != TokenPerplexity || !slices.Equal(kl.Ranking(), []int{2, 1, 0}) || ppl.Low == nil {
		t.Errorf("scores %+v %+v", ppl, kl)
	}
}

func TestRemovalShardsMerge(t *testing.T) {
	f := &fake{cost: []float64{0.3, 0.2, 0.7}, a: -1}
	whole, err := MeasureRemoval(context.Background(), f, scored(3, 5, 7, 11, 2), Options{})
	if err != nil {
		t.Fatal(err)
	}
	joined := NewLosses(Options{})
	for _, shard := range []struct {
		offset int64
		pass   engine.Pass
	}{{3, scored(11, 2)}, {0, scored(3)}, {1, scored(5, 7)}} {
		l, err := MeasureRemoval(context.Background(), f, shard.pass, Options{Offset: shard.offset})
		if err != nil {
			t.Fatal(err)
		}
		data, err := l.MarshalBinary()
		if err != nil {
			t.Fatal(err)
		}
		loaded := NewLosses(Options{})
		if err := loaded.UnmarshalBinary(data); err != nil {
			t.Fatal(err)
		}
		if err := loaded.UnmarshalBinary(data[:len(data)-1]); !errors.Is(err, failure.Corrupt) {
			t.Errorf("a truncated state: %v", err)
		}
		if err := joined.Merge(loaded); err != nil {
			t.Fatal(err)
		}
		if err := joined.Merge(loaded); err == nil || !strings.Contains(err.Error(), "counted twice") {
			t.Errorf("a shard merged twice: %v", err)
		}
	}
	a, err := whole.MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	b, err := joined.MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(a, b) {
		t.Error("the merged state differs")
	}
	x, err := whole.PPL()
	if err != nil {
		t.Fatal(err)
	}
	y, err := joined.PPL()
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(x, y, sameBits); diff != "" {
		t.Error(diff)
	}
}

func TestGreedyGoesByWhatIsGone(t *testing.T) {
	// One at a time 1 and 2 are the cheapest; together they cost more than 1 and 3.
	f := &fake{cost: []float64{0.5, 0.1, 0.2, 0.3, 0.1}, a: 1, b: 2, pair: 1}
	g, err := MeasureGreedy(context.Background(), f, scored(4), 3, []int{4})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]int{1, 3, 0}, g.Order); diff != "" {
		t.Error(diff)
	}
	for i, want := range []float64{1.1 * 4, 1.4 * 4, 1.9 * 4} {
		near(t, "loss", g.Losses[i], want, 1e-15)
	}
	near(t, "dense", g.Dense, 4, 1e-15)
	var sizes []int
	for _, p := range f.passes {
		sizes = append(sizes, len(p.Variants))
	}
	if diff := cmp.Diff([]int{5, 3, 2}, sizes); diff != "" {
		t.Errorf("variants a pass: %s", diff)
	}
	s := g.Scores()
	if !slices.Equal(s.Values, Values{2, 0, math.Inf(1), 1, math.Inf(1)}) || !slices.Equal(s.Ranking()[:3], g.Order) {
		t.Errorf("scores %v", s.Values)
	}
}

func TestGreedyTellsOfAllRounds(t *testing.T) {
	f := &fake{cost: make([]float64, 30), a: -1}
	p := scored(2)
	var shares []float64
	p.Progress = func(s engine.Step) { shares = append(shares, s.Done/s.Total) }
	if _, err := MeasureGreedy(context.Background(), f, p, 20, nil); err != nil {
		t.Fatal(err)
	}
	if len(shares) != 40 || !slices.IsSorted(shares) || shares[39] != 1 {
		t.Fatalf("what is done of all the work: %.3f", shares)
	}
	// 30² + 29² + … + 11² = 9,070, and the first round's second half
	near(t, "the first round", shares[1]-shares[0], 450./9070, 0.002)
}

func TestGreedyTiesGoByLayer(t *testing.T) {
	g, err := MeasureGreedy(context.Background(), &fake{cost: []float64{1, 1, 1, 1}, a: -1}, scored(4), 3, nil)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]int{0, 1, 2}, g.Order); diff != "" {
		t.Error(diff)
	}
}

func TestRemovalErrors(t *testing.T) {
	ctx := context.Background()
	for want, f := range map[string]func() error{
		"no device": func() error {
			_, err := MeasureRemoval(ctx, &fake{cost: []float64{1}, fail: errors.New("no device")}, scored(2), Options{})
			return err
		},
		"greedy: the dense model: no token is scored": func() error {
			_, err := MeasureGreedy(ctx, &fake{cost: []float64{1, 2}}, scored(0), 1, nil)
			return err
		},
		"removal: no token is scored": func() error {
			l, err := MeasureRemoval(ctx, &fake{cost: []float64{1, 2}}, scored(0), Options{})
			if err == nil {
				_, err = l.KL()
			}
			return err
		},
		"removal: without layer 0: sequence 7: the loss is not a number": func() error {
			_, err := MeasureRemoval(ctx, &fake{cost: []float64{1, 2}, spoil: true}, scored(3), Options{Offset: 7})
			return err
		},
		"greedy: without layers 0: the loss is not a number": func() error {
			_, err := MeasureGreedy(ctx, &fake{cost: []float64{1, 2}, spoil: true}, scored(3), 1, nil)
			return err
		},
		"greedy: 3 rounds: want at least 1 and at most 2": func() error {
			_, err := MeasureGreedy(ctx, &fake{cost: []float64{1, 2, 3}}, scored(3), 3, nil)
			return err
		},
		"greedy: 2 rounds: want at least 1 and at most 1": func() error {
			_, err := MeasureGreedy(ctx, &fake{cost: []float64{1, 2, 3}}, scored(3), 2, []int{0, 2})
			return err
		},
		"removal: no sequence": func() error { _, err := NewLosses(Options{}).PPL(); return err },
	} {
		if err := f(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}

func TestBaselines(t *testing.T) {
	for name, want := range map[string][]int{"first": {0, 1, 2, 3, 4, 5}, "last": {5, 4, 3, 2, 1, 0}} {
		s, err := BaselineScores(name, 6, 1)
		if err != nil || !slices.Equal(s.Ranking(), want) {
			t.Errorf("%s: %v, %v", name, s.Ranking(), err)
		}
	}
	orders := map[string]bool{}
	for seed := range uint64(20) {
		s, err := BaselineScores("random", 6, seed)
		if err != nil {
			t.Fatal(err)
		}
		again, _ := BaselineScores("random", 6, seed)
		order := s.Ranking()
		if !slices.Equal(order, again.Ranking()) || !slices.Equal(slices.Sorted(slices.Values(order)), all(6)) {
			t.Fatalf("seed %d gives %v and %v", seed, order, again.Ranking())
		}
		orders[fmt.Sprint(order)] = true
	}
	if len(orders) < 15 {
		t.Errorf("20 seeds give %d orders", len(orders))
	}
	// What seed 0 means must not change between versions.
	s, err := BaselineScores("random", 6, 0)
	if err != nil || !slices.Equal(s.Ranking(), seedZero) {
		t.Errorf("seed 0 gives %v, %v, want %v", s.Ranking(), err, seedZero)
	}
	if _, err := BaselineScores("middle", 6, 0); err == nil {
		t.Error("there is a baseline of the middle")
	}
}

var seedZero = []int{1, 4, 2, 0, 3, 5}
