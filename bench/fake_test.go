package bench

import (
	"context"
	"fmt"
	"hash/fnv"
	"math"
	"regexp"
	"slices"
	"strings"
	"testing"

	"avssnative/engine"
)

// fakeTokenizer makes a token of every word with the space before it, and of every other character. It begins texts with BOS where add is
// set.
type fakeTokenizer struct {
	known    *[]string
	bos, eos bool
	add      bool
}

func newFake(bos, eos, add bool) fakeTokenizer {
	return fakeTokenizer{known: &[]string{"<s>", "</s>"}, bos: bos, eos: eos, add: add}
}

var fakeWords = regexp.MustCompile(`<s>|</s>| ?\pL+|(?s:.)`)

func (f fakeTokenizer) Encode(text string, special bool) ([]int32, error) {
	if strings.Contains(text, "\xff") {
		return nil, fmt.Errorf("tokenizer: not UTF-8")
	}
	ids := []int32{}
	if special && f.add {
		ids = append(ids, 0)
	}
	for _, word := range fakeWords.FindAllString(text, -1) {
		at := slices.Index(*f.known, word)
		if at < 0 {
			at = len(*f.known)
			*f.known = append(*f.known, word)
		}
		ids = append(ids, int32(at))
	}
	return ids, nil
}

func (f fakeTokenizer) Decode(ids []int32, skipSpecial bool) (string, error) {
	var b strings.Builder
	for _, id := range ids {
		if int(id) >= len(*f.known) {
			return "", fmt.Errorf("tokenizer: id %d", id)
		}
		if !skipSpecial || id > 1 {
			b.WriteString((*f.known)[id])
		}
	}
	return b.String(), nil
}

func (f fakeTokenizer) BOS() (int32, bool) { return 0, f.bos }
func (f fakeTokenizer) EOS() (int32, bool) { return 1, f.eos }
func (f fakeTokenizer) AddsBOS() bool      { return f.add }

// must is the ids of a text without special tokens.
func (f fakeTokenizer) must(text string) []int32 {
	ids, err := f.Encode(text, false)
	if err != nil {
		panic(err)
	}
	return ids
}

// fakeRunner is a language model whose probabilities are hashes of all tokens before, so that nothing but the right input gives the right
// figure.
type fakeRunner struct {
	calls  []engine.Pass
	change func(outcome *engine.Outcome)
	err    error
}

// next is log p of a token behind others, in nats, and whether it is the likeliest.
func next(drop engine.Drop, before []int32, token int32) (float64, bool) {
	h := fnv.New64a()
	fmt.Fprint(h, drop.Layers(), before, token)
	sum := h.Sum64()
	return -0.01 - float64(sum%5000)/1000, sum%3 == 0
}

func (r *fakeRunner) Run(_ context.Context, p engine.Pass) (*engine.Outcome, error) {
	r.calls = append(r.calls, p)
	if r.err != nil {
		return nil, r.err
	}
	outcome := &engine.Outcome{Passes: 1}
	for _, drop := range p.Variants {
		var scores []engine.SequenceScore
		for _, s := range p.Sequences {
			var score engine.SequenceScore
			if s.ScoreTo > 0 {
				score.Score = follow(drop, s.IDs[:s.ScoreFrom], s.IDs[s.ScoreFrom:s.ScoreTo])
			}
			for _, branch := range s.Branches {
				score.Branches = append(score.Branches, follow(drop, s.IDs, branch))
			}
			scores = append(scores, score)
		}
		outcome.Scores = append(outcome.Scores, scores)
	}
	if r.change != nil {
		r.change(outcome)
	}
	return outcome, nil
}

func follow(drop engine.Drop, before, tokens []int32) engine.Score {
	s := engine.Score{KL: 0.25 * float64(len(drop)*len(tokens))}
	before = slices.Clone(before)
	for _, token := range tokens {
		l, hit := next(drop, before, token)
		s.Tokens++
		s.LogLikelihood += l
		if hit {
			s.Hits++
		}
		if len(drop) == 0 || token%2 == 0 {
			s.SameTop++
		}
		before = append(before, token)
	}
	return s
}

// judge prepares sets and scores them without any layer dropped.
func judge(t *testing.T, sets []Set, tokenizer Tokenizer, o Options) (*Suite, []Result) {
	t.Helper()
	suite, err := Prepare(sets, tokenizer, o)
	if err != nil {
		t.Fatal(err)
	}
	outcome, err := (&fakeRunner{}).Run(t.Context(), engine.Pass{Sequences: suite.Sequences, Variants: []engine.Drop{nil}})
	if err != nil {
		t.Fatal(err)
	}
	results, err := suite.Score(outcome.Scores[0])
	if err != nil {
		t.Fatal(err)
	}
	return suite, results
}

// choiceSet is a multiple-choice task of the given items.
func choiceSet(items ...Item) Set {
	for i := range items {
		items[i].Index = i
	}
	return Set{Task: Task{Name: "made", Version: "1", Metrics: []string{"acc", "acc_norm"}, Primary: "acc"}, Items: items}
}

func question(t *testing.T, context string, gold int, choices ...string) Item {
	t.Helper()
	item, err := Choose(context, choices, gold)
	if err != nil {
		t.Fatal(err)
	}
	return item
}

func near(a, b float64) bool { return math.Abs(a-b) <= 1e-12+1e-12*math.Abs(b) }

// wantError checks that an error is one line that says what it should.
func wantError(t *testing.T, err error, parts ...string) {
	t.Helper()
	if err == nil {
		t.Errorf("no error, want one with %q", parts)
		return
	}
	if strings.Contains(err.Error(), "\n") {
		t.Errorf("the error has more than one line: %q", err)
	}
	for _, part := range parts {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("error %q does not say %q", err, part)
		}
	}
}
