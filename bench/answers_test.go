package bench

import (
	"slices"
	"testing"

	"avssnative/engine"
)

func TestAnswers(t *testing.T) {
	r := Result{Primary: "acc", Choices: []string{"no", "yes"}}
	for i := range 40 {
		item := Record{LogLikelihoods: []float64{-1, -2}, Chosen: 1, ChosenNorm: 0, Gold: i % 2}
		if i == 7 {
			item.Chosen = 0
		}
		r.Items = append(r.Items, item)
	}
	a, has := r.Answers()
	if !has || len(a.Shares) != 2 || !near(a.Shares[0], 1.0/40) || !near(a.Shares[1], 39.0/40) || !near(a.Right[0], 0.5) {
		t.Errorf("%+v", a)
	}
	if choice, constant := a.Constant(len(r.Items)); choice != 1 || !constant {
		t.Errorf("choice %d, %v", choice, constant)
	}
	if _, constant := a.Constant(constantItems - 1); constant {
		t.Error("a constant answer to hardly any items")
	}
	for i := range r.Items {
		r.Items[i].Gold = 1
	}
	if a, _ := r.Answers(); a.Right[1] != 1 {
		t.Errorf("%+v", a)
	} else if _, constant := a.Constant(len(r.Items)); constant {
		t.Error("what is always right is no constant answer")
	}
	r.Primary = "acc_norm"
	if a, _ := r.Answers(); a.Shares[0] != 1 {
		t.Errorf("by acc_norm %+v", a)
	}
	r.Kind = Cloze
	if _, has := r.Answers(); has {
		t.Error("a cloze has no choices")
	}
}

// Choices are named where all items have the same, which differ from each other.
func TestSameChoices(t *testing.T) {
	ask := func(pairs ...Pair) Item {
		return Item{Pairs: pairs, Lengths: make([]int, len(pairs))}
	}
	for _, c := range []struct {
		items []Item
		want  []string
	}{
		{[]Item{ask(Pair{"a", " no"}, Pair{"a", " yes"}), ask(Pair{"b", " no"}, Pair{"b", " yes"})}, []string{"no", "yes"}},
		{[]Item{ask(Pair{"a", " no"}, Pair{"a", " yes"}), ask(Pair{"b", " no"}, Pair{"b", " perhaps"})}, nil},
		{[]Item{ask(Pair{"a", " goes"}, Pair{"b", " goes"})}, nil},
	} {
		for i := range c.items {
			for k := range c.items[i].Pairs {
				c.items[i].Lengths[k] = 2
			}
		}
		suite, err := Prepare([]Set{{Task: Task{Name: "x", Version: "1", Kind: Choice, Metrics: []string{"acc"}, Primary: "acc"}, Items: c.items}},
			newFake(true, true, false), Options{})
		if err != nil {
			t.Fatal(err)
		}
		runner := &fakeRunner{}
		outcome, err := runner.Run(t.Context(), enginePass(suite))
		if err != nil {
			t.Fatal(err)
		}
		results, err := suite.Score(outcome.Scores[0])
		if err != nil || !slices.Equal(results[0].Choices, c.want) {
			t.Errorf("%q, want %q, %v", results[0].Choices, c.want, err)
		}
	}
}

func enginePass(s *Suite) engine.Pass {
	return engine.Pass{Sequences: s.Sequences, Variants: []engine.Drop{nil}}
}
