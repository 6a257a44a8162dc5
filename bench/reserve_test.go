package bench

import (
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"avssnative/engine"
	"avssnative/failure"
)

// What has been taken to choose is asked by no task, under whatever name its file is read, and a limit counts what is left.
func TestReservedQuestionsAreNotAsked(t *testing.T) {
	var lines strings.Builder
	for i := range 30 {
		fmt.Fprintf(&lines, "{\"context\": \"question %d\", \"choices\": [\"yes\", \"no\"], \"gold\": %d}\n", i%25, i%2) // five stand there twice
	}
	file := filepath.Join(t.TempDir(), "own.jsonl")
	if err := os.WriteFile(file, []byte(lines.String()), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, wanted := range []int{1, 7, 15, 99} {
		taken, err := Reserve(t.Context(), "own="+file, Source{}, wanted, 3)
		if err != nil {
			t.Fatal(err)
		}
		again, err := Reserve(t.Context(), "own="+file, Source{}, wanted, 3)
		if err != nil || len(taken.Items) != min(wanted, 15) {
			t.Fatalf("%d taken of 30, %d wanted, %v", len(taken.Items), wanted, err)
		}
		other, err := Reserve(t.Context(), "own="+file, Source{}, 15, 4)
		if err != nil {
			t.Fatal(err)
		}
		same := func(a, b []Item) bool {
			return slices.EqualFunc(a, b, func(a, b Item) bool { return a.Index == b.Index })
		}
		if !same(taken.Items, again.Items) || wanted >= 15 && same(taken.Items, other.Items) {
			t.Errorf("%d wanted: drawn otherwise by the same seed, or the same by another", wanted)
		}
		for _, limit := range []Limit{{Except: &taken}, {Except: &taken, Items: 5}, {Except: &taken, Items: 5, Seed: 2}} {
			sets, err := Load(t.Context(), []string{"another=" + file}, Source{}, limit)
			if err != nil || limit.Items > 0 && len(sets[0].Items) != limit.Items {
				t.Fatalf("%d items, %v", len(sets[0].Items), err)
			}
			for _, item := range sets[0].Items {
				if slices.ContainsFunc(taken.Items, func(i Item) bool { return i.Pairs[0].Context == item.Pairs[0].Context }) {
					t.Errorf("%d wanted, limit %d: %q is asked again", wanted, limit.Items, item.Pairs[0].Context)
				}
			}
		}
	}
	all, err := Load(t.Context(), []string{"own=" + file}, Source{}, Limit{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Load(t.Context(), []string{"own=" + file}, Source{}, Limit{Except: &all[0]}); !errors.Is(err, failure.NotFound) {
		t.Errorf("nothing is left: %v", err)
	}
	for _, name := range []string{"small_world", "small_world_stories"} {
		if _, err := Reserve(t.Context(), name, Source{}, 5, 1); !errors.Is(err, failure.Unsupported) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// What an answer costs is what the log-likelihoods of its choices say, whether these share a context or not.
func TestMarginLoss(t *testing.T) {
	apart := Item{Gold: 1, Pairs: []Pair{{"He", " ate"}, {"She", " drank it"}}, Lengths: []int{3, 8}}
	set := choiceSet(question(t, "Is it so", 1, "yes", "no", "perhaps not"), apart, question(t, "Or", 0, "this", "that one there"))
	normed := set
	normed.Task.Primary = "acc_norm"
	for _, s := range []Set{set, normed} {
		runner := &fakeRunner{}
		suite, err := Prepare([]Set{s}, newFake(true, true, true), Options{MaxLength: 64})
		if err != nil {
			t.Fatal(err)
		}
		ends, err := suite.Ends()
		if err != nil || len(ends) != 3 || ends[2] != len(suite.Sequences) || ends[1]-ends[0] != 2 {
			t.Fatalf("ends %v of %d sequences, %v", ends, len(suite.Sequences), err)
		}
		outcome, err := runner.Run(t.Context(), engine.Pass{Sequences: suite.Sequences, Variants: []engine.Drop{nil}})
		if err != nil {
			t.Fatal(err)
		}
		results, err := suite.Score(outcome.Scores[0])
		if err != nil {
			t.Fatal(err)
		}
		from := 0
		for q, record := range results[0].Items {
			of := func(choice int) float64 {
				if s.Task.Primary == "acc_norm" {
					return record.LogLikelihoods[choice] / float64(s.Items[q].Lengths[choice])
				}
				return record.LogLikelihoods[choice]
			}
			sum := 0.0
			for choice := range record.LogLikelihoods {
				sum += math.Exp(of(choice) - of(record.Gold))
			}
			got, err := suite.MarginLoss(q, outcome.Scores[0][from:ends[q]])
			if want := math.Log(sum); err != nil || math.Abs(got-want) > 1e-12*(1+want) {
				t.Errorf("%s, question %d: %v, want %v, %v", s.Task.Primary, q, got, want, err)
			}
			from = ends[q]
		}
		if _, err := suite.MarginLoss(1, outcome.Scores[0][:1]); err == nil {
			t.Error("scores of another question were taken")
		}
		if _, err := suite.MarginLoss(3, outcome.Scores[0]); err == nil {
			t.Error("a fourth question of three")
		}
	}
	stories, err := Load(t.Context(), []string{"small_world_stories"}, Source{}, Limit{Items: 2})
	if err != nil {
		t.Fatal(err)
	}
	suite, err := Prepare(stories, newFake(true, true, true), Options{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := suite.Ends(); !errors.Is(err, failure.Unsupported) {
		t.Errorf("stories ask questions: %v", err)
	}
}
