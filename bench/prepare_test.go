package bench

import (
	"strings"
	"testing"

	"avssnative/engine"
	"avssnative/tokenizer"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"
)

// plainly is the peer's rule word for word, one request at a time: the last length+1 tokens of both, without the last, are what goes in.
func plainly(f fakeTokenizer, pair Pair, special bool, length int) engine.Score {
	context := strings.TrimRight(pair.Context, " \n\t")
	moved := pair.Context[len(context):] + pair.Continuation
	var head, tail []int32
	if context == "" {
		head, tail = []int32{0}, f.must(moved)
	} else {
		head, _ = f.Encode(context, special)
		whole, _ := f.Encode(context+moved, special)
		tail = whole[len(head):]
	}
	all := append(append([]int32{}, head...), tail...)
	all = all[max(0, len(all)-length-1):]
	return follow(nil, all[:len(all)-len(tail)], tail)
}

func TestChoicesAgreeWithThePlainRule(t *testing.T) {
	word := rapid.StringMatching(`[a-e]{1,2}`)
	text := rapid.Custom(func(t *rapid.T) string {
		return strings.Join(rapid.SliceOfN(word, 1, 8).Draw(t, "words"), " ") + rapid.SampledFrom([]string{"", " ", "  ", "\n", ":"}).Draw(t, "end")
	})
	rapid.Check(t, func(r *rapid.T) {
		f := newFake(true, true, rapid.Bool().Draw(r, "adds BOS"))
		policy := rapid.SampledFrom([]tokenizer.BOS{tokenizer.BOSAuto, tokenizer.BOSYes, tokenizer.BOSNo}).Draw(r, "policy")
		length := rapid.IntRange(8, 24).Draw(r, "length")
		var items []Item
		for range rapid.IntRange(1, 4).Draw(r, "items") {
			context := text.Draw(r, "context")
			if rapid.IntRange(0, 9).Draw(r, "empty") == 0 {
				context = ""
			}
			var choices []string
			for range rapid.IntRange(2, 4).Draw(r, "choices") {
				choices = append(choices, text.Draw(r, "choice"))
			}
			item, err := Choose(context, choices, 0)
			if err != nil {
				r.Fatal(err)
			}
			items = append(items, item)
		}
		special := policy == tokenizer.BOSYes || policy == tokenizer.BOSAuto && f.add
		plain := f
		plain.add = special
		suite, err := Prepare([]Set{choiceSet(items...)}, f, Options{MaxLength: length, BOS: policy})
		if err != nil {
			if !strings.Contains(err.Error(), "at a time") {
				r.Fatal(err)
			}
			return // a choice longer than the model's context
		}
		outcome, _ := (&fakeRunner{}).Run(t.Context(), engine.Pass{Sequences: suite.Sequences, Variants: []engine.Drop{nil}})
		results, err := suite.Score(outcome.Scores[0])
		if err != nil {
			r.Fatal(err)
		}
		if results[0].BOS != special {
			r.Errorf("BOS %v in the result, want %v", results[0].BOS, special)
		}
		for i, item := range items {
			for j, pair := range item.Pairs {
				want := plainly(plain, pair, special, length)
				if got := results[0].Items[i].LogLikelihoods[j]; !near(got, want.LogLikelihood) {
					r.Errorf("%q: %v, want %v", pair, got, want.LogLikelihood)
				}
				if got := results[0].Items[i].Greedy[j]; got != want.Greedy() {
					r.Errorf("%q: greedy %v, want %v", pair, got, want.Greedy())
				}
			}
		}
		for i, s := range suite.Sequences {
			for _, branch := range s.Branches {
				if rows := len(s.IDs) + len(branch) - 1; rows > length || len(s.IDs) == 0 {
					r.Errorf("sequence %d takes %d rows of %d behind a context of %d", i, rows, length, len(s.IDs))
				}
			}
			if !s.Silent {
				r.Errorf("sequence %d is shown to observers", i)
			}
		}
	})
}

func TestChoicesShareTheirContext(t *testing.T) {
	f := newFake(true, true, true)
	suite, _ := judge(t, []Set{choiceSet(
		question(t, "the cat sat on", 0, "mats", "a red mat"),
		question(t, "the dog ", 1, "ran", "sat"),
	)}, f, Options{MaxLength: 64})
	want := []engine.Sequence{
		{IDs: append([]int32{0}, f.must("the cat sat on")...), Branches: [][]int32{f.must(" mats"), f.must(" a red mat")}, Silent: true},
		// The space that ended the context leads the continuations, in front of their own.
		{IDs: append([]int32{0}, f.must("the dog")...), Branches: [][]int32{f.must("  ran"), f.must("  sat")}, Silent: true},
	}
	if diff := cmp.Diff(want, suite.Sequences); diff != "" {
		t.Error(diff)
	}
}

func TestTruncationFromTheLeft(t *testing.T) {
	f := newFake(true, true, true)
	suite, results := judge(t, []Set{choiceSet(question(t, "a b c d e f", 0, "x", "x y z", "y", "x y"))}, f, Options{MaxLength: 6})
	// BOS and six words are seven tokens: with one more, two too many for the six rows of which the last token needs none.
	want := []engine.Sequence{
		{IDs: f.must("a b c d e f")[0:], Branches: [][]int32{f.must(" x"), f.must(" y")}, Silent: true},
		{IDs: f.must(" c d e f"), Branches: [][]int32{f.must(" x y z")}, Silent: true},
		{IDs: f.must(" b c d e f"), Branches: [][]int32{f.must(" x y")}, Silent: true},
	}
	if diff := cmp.Diff(want, suite.Sequences); diff != "" {
		t.Error(diff)
	}
	if results[0].Truncated != 1 {
		t.Errorf("%d items truncated, want 1", results[0].Truncated)
	}
	if results[0].MaxLength != 6 {
		t.Errorf("maximal length %d in the result, want 6", results[0].MaxLength)
	}
}

func TestEmptyContext(t *testing.T) {
	for _, test := range []struct {
		name string
		f    fakeTokenizer
		want int32
	}{{"BOS", newFake(true, true, false), 0}, {"EOS where there is no BOS", newFake(false, true, false), 1}} {
		suite, _ := judge(t, []Set{choiceSet(question(t, "", 0, "x", "y"))}, test.f, Options{MaxLength: 8})
		if diff := cmp.Diff([]engine.Sequence{{IDs: []int32{test.want}, Branches: [][]int32{test.f.must(" x"), test.f.must(" y")}, Silent: true}},
			suite.Sequences); diff != "" {
			t.Errorf("%s: %s", test.name, diff)
		}
	}
	_, err := Prepare([]Set{choiceSet(question(t, "", 0, "x", "y"))}, newFake(false, false, false), Options{MaxLength: 8})
	wantError(t, err, "bench: made: item 0: choice 0", "neither BOS nor EOS")

	f := newFake(true, true, false)
	item := question(t, "", 0, "x", "y")
	item.Pairs[0].Continuation = "<s> x"
	suite, _ := judge(t, []Set{choiceSet(item)}, f, Options{MaxLength: 8})
	if diff := cmp.Diff([][]int32{f.must(" x"), f.must(" y")}, suite.Sequences[0].Branches); diff != "" {
		t.Errorf("a continuation that begins with the prefix token is not given a second one: %s", diff)
	}
}

func TestBOSSpeltOutIsNotDoubled(t *testing.T) {
	f := newFake(true, true, true)
	suite, _ := judge(t, []Set{choiceSet(question(t, "<s>a b", 0, "x", "y"))}, f, Options{MaxLength: 8})
	if diff := cmp.Diff(f.must("<s>a b"), suite.Sequences[0].IDs); diff != "" {
		t.Error(diff)
	}
}

func TestPrepareRefuses(t *testing.T) {
	f := newFake(true, true, true)
	good := choiceSet(question(t, "a", 0, "x", "y"))
	for _, test := range []struct {
		name  string
		sets  []Set
		f     fakeTokenizer
		o     Options
		parts []string
	}{
		{"no length", []Set{good}, f, Options{MaxLength: 1}, []string{"maximal length 1"}},
		{"unknown policy", []Set{good}, f, Options{MaxLength: 8, BOS: "maybe"}, []string{`"maybe"`, "auto, yes or no"}},
		{"no BOS to add", []Set{good}, newFake(false, true, false), Options{MaxLength: 8, BOS: tokenizer.BOSYes}, []string{"BOS", "none"}},
		{"long choice", []Set{choiceSet(question(t, "a", 0, "x", "a b c d e"))}, f, Options{MaxLength: 4},
			[]string{"made: item 0: choice 1: 5 tokens", "takes 4"}},
		{"choice melts into its context", []Set{choiceSet(Item{Pairs: []Pair{{"ab", "c"}, {"ab", " c"}}})}, f, Options{MaxLength: 8},
			[]string{"item 0: choice 0", `"c"`, "no tokens"}},
		{"not UTF-8", []Set{choiceSet(question(t, "a\xff", 0, "x", "y"))}, f, Options{MaxLength: 8}, []string{"item 0", "UTF-8"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := Prepare(test.sets, test.f, test.o)
			wantError(t, err, test.parts...)
		})
	}
}

func TestSeveralTasksInOneSuite(t *testing.T) {
	f := newFake(true, true, true)
	a, b := choiceSet(question(t, "a b", 0, "x", "y")), choiceSet(question(t, "c d", 1, "x", "y", "z"))
	b.Task.Name = "other"
	_, alone := judge(t, []Set{b}, f, Options{MaxLength: 16})
	_, both := judge(t, []Set{a, b}, f, Options{MaxLength: 16})
	if diff := cmp.Diff(alone[0], both[1], cmpopts.EquateNaNs()); diff != "" {
		t.Errorf("a task's result depends on what else is asked: %s", diff)
	}
}
