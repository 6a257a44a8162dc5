package bench

import (
	"bytes"
	"encoding/json"
	"math"
	"strings"
	"testing"

	"avssnative/engine"

	"github.com/google/go-cmp/cmp"
)

// given makes a suite's scores from log-likelihoods, in the order of its sequences and branches.
func given(t *testing.T, suite *Suite, likelihoods ...float64) []engine.SequenceScore {
	t.Helper()
	var scores []engine.SequenceScore
	for _, s := range suite.Sequences {
		var score engine.SequenceScore
		for _, branch := range s.Branches {
			score.Branches = append(score.Branches, engine.Score{Tokens: len(branch), LogLikelihood: likelihoods[0], Hits: len(branch)})
			likelihoods = likelihoods[1:]
		}
		scores = append(scores, score)
	}
	if len(likelihoods) > 0 {
		t.Fatalf("%d likelihoods too many", len(likelihoods))
	}
	return scores
}

func scored(t *testing.T, suite *Suite, likelihoods ...float64) Result {
	t.Helper()
	results, err := suite.Score(given(t, suite, likelihoods...))
	if err != nil {
		t.Fatal(err)
	}
	return results[0]
}

func TestAccuracy(t *testing.T) {
	f := newFake(true, true, true)
	suite, _ := judge(t, []Set{choiceSet(
		question(t, "q", 1, "aé€", "bbbbbb"), // three characters of six bytes, six characters
		question(t, "q", 0, "a", "b"),
		question(t, "q", 1, "a", "b"),
		question(t, "q", 2, "a", "b", "c"),
	)}, f, Options{MaxLength: 16})
	r := scored(t, suite,
		-3.3, -6, // by sum the first; by character −1.1 against −1: the second. By bytes it would be the first
		-2, -2, // a tie is the first
		-2, -2,
		-5, -4, -3)
	if got := []int{r.Items[0].Chosen, r.Items[0].ChosenNorm, r.Items[1].Chosen, r.Items[2].Chosen, r.Items[3].Chosen}; !cmp.Equal(got,
		[]int{0, 1, 0, 0, 2}) {
		t.Errorf("chosen %v", got)
	}
	acc, _ := r.Metric("acc")
	norm, _ := r.Metric("acc_norm")
	// One and zero, four times: deviation √(1/4 · 4/3) over √4.
	want := math.Sqrt(1.0/3) / 2
	if acc.Value != 0.5 || !near(acc.Stderr, want) || norm.Value != 0.75 || !near(norm.Stderr, 0.25) {
		t.Errorf("acc %+v, acc_norm %+v", acc, norm)
	}
	if !near(r.Chance, (0.5*3+1.0/3)/4) {
		t.Errorf("chance %v", r.Chance)
	}
	if _, found := r.Metric("f1"); found || r.Main() != acc || r.N != 4 || r.FewShot != 0 || !r.BOS {
		t.Errorf("%+v", r)
	}
}

func TestCloze(t *testing.T) {
	f := newFake(true, true, true)
	set := Set{Task: registry["lambada_openai"], Items: []Item{{Pairs: []Pair{{"a b", " c"}}}, {Index: 1, Pairs: []Pair{{"a b", " c d"}}}}}
	suite, _ := judge(t, []Set{set}, f, Options{MaxLength: 16})
	scores := given(t, suite, -1, -2.5)
	scores[1].Branches[0].Hits = 1 // of two
	results, err := suite.Score(scores)
	if err != nil {
		t.Fatal(err)
	}
	acc, _ := results[0].Metric("acc")
	perplexity, _ := results[0].Metric("perplexity")
	if acc.Value != 0.5 || !near(perplexity.Value, math.Exp(1.75)) {
		t.Errorf("acc %v, perplexity %v, want 0.5 and exp(1.75): words, not tokens, share the loss", acc, perplexity)
	}
	// Losses 1 and 2.5: sample deviation 1.0607, over √2 is 0.75.
	if !near(perplexity.Stderr, math.Exp(1.75)*0.75) {
		t.Errorf("standard error %v", perplexity.Stderr)
	}
}

func TestRollingMetrics(t *testing.T) {
	f := newFake(true, true, false)
	text := "é bb\n cc  d"
	set := Set{Task: registry["small_world_stories"], Items: []Item{{Text: text, Words: words(text), Bytes: len(text)}}}
	suite, _ := judge(t, []Set{set}, f, Options{MaxLength: 3})
	tokens := len(f.must(text))
	if len(suite.Sequences) != (tokens+2)/3 || suite.Tokens != tokens {
		t.Fatalf("%d windows for %d tokens", len(suite.Sequences), tokens)
	}
	var likelihoods []float64
	for range suite.Sequences {
		likelihoods = append(likelihoods, -2)
	}
	r := scored(t, suite, likelihoods...)
	nll := 2 * float64(len(likelihoods))
	for name, want := range map[string]float64{"word_perplexity": math.Exp(nll / 4), "byte_perplexity": math.Exp(nll / 12),
		"bits_per_byte": nll / 12 / math.Ln2, "token_perplexity": math.Exp(nll / float64(tokens))} {
		got, found := r.Metric(name)
		if !found || !near(got.Value, want) || !math.IsNaN(got.Stderr) || got.HigherIsBetter {
			t.Errorf("%s %+v, want %v without a standard error", name, got, want)
		}
	}
	if !strings.Contains(r.Convention, "rolling windows of 3") {
		t.Errorf("convention %q", r.Convention)
	}
}

func TestRollingLead(t *testing.T) {
	f := newFake(true, true, true)
	item := Item{Text: "a b", Words: 2, Bytes: 3}
	var kept []engine.Sequence
	for _, name := range []string{"tinystories_rolling", "small_world_stories"} {
		suite, results := judge(t, []Set{{Task: registry[name], Items: []Item{item}}}, f, Options{MaxLength: 8})
		kept = append(kept, suite.Sequences...)
		if once := strings.Contains(results[0].Convention, "BOS not scored"); once != registry[name].LeadOnce {
			t.Errorf("%s: convention %q", name, results[0].Convention)
		}
	}
	text := f.must("a b")
	want := []engine.Sequence{{IDs: []int32{0}, Branches: [][]int32{append([]int32{0}, text...)}, Silent: true},
		{IDs: []int32{0}, Branches: [][]int32{text}, Silent: true}}
	if diff := cmp.Diff(want, kept); diff != "" {
		t.Error(diff)
	}
	_, err := Prepare([]Set{{Task: registry["small_world_stories"], Items: []Item{{}}}}, f, Options{MaxLength: 8})
	wantError(t, err, "small_world_stories: item 0", "no tokens")
}

func TestPerplexityError(t *testing.T) {
	// Equal losses a word leave nothing to vary.
	if _, stderr := perplexityOf("word_perplexity", []float64{2, 4}, []float64{1, 2}); stderr != 0 {
		t.Errorf("standard error %v, want 0", stderr)
	}
	value, stderr := perplexityOf("bits_per_byte", []float64{1, 3}, []float64{1, 1})
	if !near(value, 2/math.Ln2) || !near(stderr, 1/math.Ln2) {
		t.Errorf("%v ± %v", value, stderr)
	}
}

func TestScoreRefuses(t *testing.T) {
	f := newFake(true, true, true)
	suite, _ := judge(t, []Set{choiceSet(question(t, "q", 1, "a", "b"))}, f, Options{MaxLength: 16})
	_, err := suite.Score(nil)
	wantError(t, err, "0 sequences, want 1")
	for _, bad := range []float64{math.NaN(), math.Inf(1)} {
		_, err = suite.Score(given(t, suite, -1, bad))
		wantError(t, err, "bench: made: item 0: choice 1: log-likelihood")
	}
	scores := given(t, suite, -1, -2)
	scores[0].Branches[1].Tokens = 7
	_, err = suite.Score(scores)
	wantError(t, err, "do not belong")
	_, err = suite.Score(make([]engine.SequenceScore, 1))
	wantError(t, err, "do not belong")
}

func TestHarnessKeysAndSamples(t *testing.T) {
	f := newFake(true, true, true)
	suite, _ := judge(t, []Set{choiceSet(question(t, "q", 1, "a", "b"))}, f, Options{MaxLength: 16})
	results, err := suite.Score(given(t, suite, -1, -0.5))
	if err != nil {
		t.Fatal(err)
	}
	data, err := json.Marshal(Harness(results))
	if err != nil {
		t.Fatal(err)
	}
	want := `{"higher_is_better":{"made":{"acc":true,"acc_norm":true}},"n-samples":{"made":{"effective":1,"original":1}},"n-shot":{"made":0},` +
		`"results":{"made":{"acc,none":1,"acc_norm,none":1,"acc_norm_stderr,none":"N/A","acc_stderr,none":"N/A","alias":"made"}},"versions":{"made":"1"}}`
	if string(data) != want {
		t.Errorf("%s\nwant\n%s", data, want)
	}
	var b bytes.Buffer
	if err := WriteSamples(&b, "dense", results); err != nil {
		t.Fatal(err)
	}
	want = `{"acc":true,"acc_norm":true,"chosen":1,"chosen_norm":1,"doc_id":0,"resps":[[-1,true],[-0.5,true]],"target":1,"task":"made","tokens":2,"variant":"dense","version":"1"}` + "\n"
	if b.String() != want {
		t.Errorf("%s\nwant\n%s", b.String(), want)
	}
	// A broken model's perplexity is too large a number; JSON must still be written.
	results[0].Metrics[0].Value = math.Inf(1)
	if data, err = json.Marshal(Harness(results)); err != nil || !strings.Contains(string(data), `"acc,none":"N/A"`) {
		t.Errorf("%s, %v", data, err)
	}
}
