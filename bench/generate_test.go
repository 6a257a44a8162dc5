package bench

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"avssnative/engine"

	"github.com/google/go-cmp/cmp"
)

// spoken is a model that says fixed texts, token by token, as far as it is let.
type spoken struct {
	tokenizer fakeTokenizer
	texts     []string
	requests  []engine.Request
}

func (s *spoken) Generate(_ context.Context, requests []engine.Request, _ engine.Generating) ([][]int32, error) {
	s.requests = requests
	all := make([][]int32, len(requests))
	for i, r := range requests {
		for _, id := range s.tokenizer.must(s.texts[i]) {
			all[i] = append(all[i], id)
			if len(all[i]) == r.Tokens || r.Stop(all[i]) {
				break
			}
		}
	}
	return all, nil
}

// asking loads a file of lines as a task, frames it and prepares it.
func asking(t *testing.T, name, lines, examples string, framing Framing, length int) (*Suite, fakeTokenizer, []Set) {
	t.Helper()
	folder := t.TempDir()
	path := filepath.Join(folder, name+".jsonl")
	for file, content := range map[string]string{path: lines, filepath.Join(folder, name+".shots.jsonl"): examples} {
		if content == "" {
			continue
		}
		if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	sets, err := Load(t.Context(), []string{name + "=" + path}, Source{}, Limit{})
	if err != nil {
		t.Fatal(err)
	}
	if err := Frame(sets, framing); err != nil {
		t.Fatal(err)
	}
	f := newFake(true, true, true)
	suite, err := Prepare(sets, f, Options{MaxLength: length})
	if err != nil {
		t.Fatal(err)
	}
	return suite, f, sets
}

func TestOwnTaskIsAnswered(t *testing.T) {
	suite, f, _ := asking(t, "mine", `{"prompt": "The sky is", "answers": ["blue"]}
{"prompt": "Two and two is", "until": ["."], "answers": ["4", "Four!"], "match": "loose"}
{"prompt": "Who?", "until": [], "answers": ["the CAT"], "match": "contains"}
{"prompt": "Where?", "until": ["STOP"], "answers": ["here"]}`, "", Framing{}, 300)
	if !suite.Asks() || len(suite.Sequences) != 0 {
		t.Fatalf("asks %v, %d sequences", suite.Asks(), len(suite.Sequences))
	}
	said := []string{" blue\nand more", " four. five", " it was The cat\nand", " there STOP here"}
	model := &spoken{tokenizer: f, texts: said}
	answers, err := suite.Say(t.Context(), model, Saying{})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{" blue", " four", " it was The cat\nand", " there "}, answers); diff != "" {
		t.Error(diff)
	}
	results, err := suite.Judge(nil, answers)
	if err != nil {
		t.Fatal(err)
	}
	r := results[0]
	if r.Kind != Generate || r.Main().Value != 0.75 || r.Items[3].Marks[ownMetric] != 0 || r.Items[0].Said != " blue" || r.KL != 0 {
		t.Errorf("%+v", r)
	}
	if _, err := suite.Judge(nil, answers[:3]); err == nil {
		t.Error("an answer is missing, and all were judged")
	}
	if _, err := suite.Score(nil); err == nil {
		t.Error("nothing was said, and it was scored")
	}
	// What ends a text ends an answer, and a special token may be what stops it.
	end := f.must(" blue")[0]
	if answers, err = suite.Say(t.Context(), model, Saying{Ends: []int32{end}}); err != nil || answers[0] != " blue" || len(model.requests[0].IDs) == 0 {
		t.Errorf("%q, %v", answers, err)
	}
}

func TestPromptsLoseTheirBeginning(t *testing.T) {
	suite, f, _ := asking(t, "mine", `{"prompt": "a b c d e f g h", "answers": ["x"]}`, "", Framing{}, mostSaid+4)
	ids := f.must("a b c d e f g h")
	if diff := cmp.Diff(ids[len(ids)-4:], suite.asked[0].ids); diff != "" {
		t.Error(diff)
	}
	if _, err := Prepare(suite.setsOf(), f, Options{MaxLength: mostSaid}); err == nil || !strings.Contains(err.Error(), "leaves none for a prompt") {
		t.Errorf("no room for a prompt: %v", err)
	}
}

// setsOf are the sets a suite was made of.
func (s *Suite) setsOf() []Set {
	var sets []Set
	for _, p := range s.sets {
		sets = append(sets, p.Set)
	}
	return sets
}

// Examples stand in front as the peer's sampler draws them: seed 1234, of three, two for each of two questions.
func TestExamples(t *testing.T) {
	const lines = `{"context": "Q1?", "choices": ["yes", "no"], "gold": 1}
{"context": "Q2?", "choices": ["a", "b"], "gold": 0}`
	const examples = `{"context": "E0?", "choices": ["0", "x"], "gold": 0}
{"context": "E1?", "choices": ["y", "1"], "gold": 1}
{"context": "E2?", "choices": ["2", "z"], "gold": 0}`
	_, _, sets := asking(t, "mine", lines, examples, Framing{Shots: 2}, 300)
	r := newPyRandom(1234)
	for i, item := range sets[0].Items {
		want := ""
		for _, at := range r.sample(3, 2) {
			want += []string{"E0? 0", "E1? 1", "E2? 2"}[at] + "\n\n"
		}
		if question := []string{"Q1?", "Q2?"}[i]; item.Pairs[0].Context != want+question || item.Pairs[1].Context != want+question {
			t.Errorf("item %d: %q, want %q", i, item.Pairs[0].Context, want+question)
		}
		if item.Pairs[0].Continuation != []string{" yes", " a"}[i] {
			t.Errorf("item %d: choice %q", i, item.Pairs[0].Continuation)
		}
	}
	chat := func(turns []Turn) (string, error) {
		text := ""
		for _, turn := range turns {
			text += "[" + turn.Role + "|" + turn.Content + "]"
		}
		return text + "[assistant|", nil
	}
	suite, _, sets := asking(t, "mine", lines, examples, Framing{Shots: 1, Chat: chat}, 300)
	at := newPyRandom(1234).sample(3, 1)[0]
	want := []string{"[user|E0?][assistant|0]", "[user|E1?][assistant|1]", "[user|E2?][assistant|2]"}[at] + "[user|Q1?][assistant|"
	if got := sets[0].Items[0].Pairs[1]; got != (Pair{want, "no"}) {
		t.Errorf("%+v, want %q and no", got, want)
	}
	if !suite.sets[0].Chat || suite.sets[0].Shots != 1 {
		t.Errorf("%+v", suite.sets[0].Set)
	}
	if err := Frame(sets, Framing{Shots: 4}); err == nil || !strings.Contains(err.Error(), "their file has 3") {
		t.Errorf("four of three: %v", err)
	}
	inside, err := Load(t.Context(), []string{"small_world_qa"}, Source{}, Limit{Items: 2})
	if err != nil {
		t.Fatal(err)
	}
	if err := Frame(inside, Framing{Shots: 1}); err == nil || !strings.Contains(err.Error(), "inside the program") {
		t.Errorf("examples of what is inside the program: %v", err)
	}
}

// What lm_eval 0.4.13 says of such answers to gsm8k and triviaqa.
func TestAnswersAreJudged(t *testing.T) {
	thought := "He has 5 + 3 = <<5+3=8>>8.\nHe pays $1,234.\n#### 1,234"
	for _, c := range []struct {
		said             string
		strict, flexible float64
	}{
		{" So it is.\n#### 1234", 1, 1}, {" #### 1,234.", 1, 1}, {" #### 12\n#### 1234", 0, 1}, {" The answer is $1234.", 0, 1},
		{" 1234 it is, 5 too", 0, 0}, {" none", 0, 0}, {" ####1234", 0, 1}, {" #### $1234", 0, 1},
	} {
		got := registry["gsm8k"].Judge(Item{Answers: []string{thought}}, c.said)
		if got["exact_match,strict-match"] != c.strict || got["exact_match,flexible-extract"] != c.flexible {
			t.Errorf("%q: %v, want %v and %v", c.said, got, c.strict, c.flexible)
		}
	}
	for said, want := range map[string]float64{" the Beatles": 1, " THE \"Beatles\"!": 1, " Beatles": 0, "": 0} {
		if got := registry["triviaqa"].Judge(Item{Answers: []string{"Fab Four", "The Beatles"}}, said)["exact_match,remove_whitespace"]; got != want {
			t.Errorf("%q: %v, want %v", said, got, want)
		}
	}
}
