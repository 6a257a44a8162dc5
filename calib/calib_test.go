package calib_test

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"avssnative/calib"
	"avssnative/engine"
	_ "avssnative/engine/cpu"
	_ "avssnative/engine/reference"
	_ "avssnative/engine/weights/demo"
	"avssnative/tokenizer"
)

func open(t *testing.T) (*engine.Model, *tokenizer.Tokenizer) {
	t.Helper()
	m, err := engine.Open(t.Context(), "demo", engine.Options{Device: "cpu"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close() })
	words, err := tokenizer.Open(m.Path())
	if err != nil {
		t.Fatal(err)
	}
	return m, words
}

func TestTheZeroValueIsTheDemosText(t *testing.T) {
	m, words := open(t)
	text, err := calib.Read(t.Context(), m, words, calib.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if text.Source != calib.Demo || text.Tokens > calib.DefaultTokens || text.Tokens < calib.DefaultTokens*9/10 || len(text.SHA256) != 64 {
		t.Errorf("%d tokens of %s, %s", text.Tokens, text.Source, text.SHA256)
	}
	total := 0
	for _, s := range text.Sequences {
		total += len(s.IDs)
		if len(s.IDs) < 2 || len(s.IDs) > 512 {
			t.Errorf("a sequence of %d tokens", len(s.IDs))
		}
	}
	even, odd := text.Split()
	if total != text.Tokens || even.Tokens+odd.Tokens != total || len(even.Sequences)+len(odd.Sequences) != len(text.Sequences) {
		t.Errorf("%d tokens, %d counted, %d and %d after the split", total, text.Tokens, even.Tokens, odd.Tokens)
	}
}

// The model's own text is the same for a seed, another for another, kept for the next time, and written anew where what was kept is no text.
func TestTheModelsOwnText(t *testing.T) {
	cache := t.TempDir()
	t.Setenv("XDG_CACHE_HOME", cache)
	m, words := open(t)
	options := calib.Options{Files: []string{calib.Self}, Tokens: 300, Length: 40, Seed: 5}
	shown := 0
	options.Progress = func(tokens, of int) { shown = tokens }
	first, err := calib.Read(t.Context(), m, words, options)
	if err != nil {
		t.Fatal(err)
	}
	if first.Tokens < 290 || first.Tokens > 300 || first.Source != calib.Self || shown == 0 {
		t.Errorf("%d tokens of %s, %d shown", first.Tokens, first.Source, shown)
	}
	begin, _ := words.BOS()
	for _, s := range first.Sequences {
		if s.IDs[0] != begin || len(s.IDs) > 40 {
			t.Errorf("a sequence of %d tokens that begins with %d, want %d", len(s.IDs), s.IDs[0], begin)
		}
	}
	shown = 0
	again, err := calib.Read(t.Context(), m, words, options)
	if err != nil || !reflect.DeepEqual(first, again) || shown != 0 {
		t.Errorf("kept text: %v, %d tokens written anew", err, shown)
	}
	files, _ := filepath.Glob(filepath.Join(cache, "avssnative", "self", "*.json"))
	if len(files) != 1 {
		t.Fatalf("kept in %v", files)
	}
	for _, spoilt := range []string{"", "{", `{"sequences":[[1,2,999999]]}`, `{"sequences":[[1]]}`, `{"sequences":null}`} {
		if err := os.WriteFile(files[0], []byte(spoilt), 0o644); err != nil {
			t.Fatal(err)
		}
		if again, err = calib.Read(t.Context(), m, words, options); err != nil || !reflect.DeepEqual(first, again) {
			t.Errorf("after %q was found in its place: %v", spoilt, err)
		}
	}
	options.Seed = 6
	other, err := calib.Read(t.Context(), m, words, options)
	if err != nil || reflect.DeepEqual(first.Sequences, other.Sequences) {
		t.Errorf("another seed wrote the same text, %v", err)
	}
}

func TestRefusals(t *testing.T) {
	m, words := open(t)
	empty := filepath.Join(t.TempDir(), "empty.txt")
	if err := os.WriteFile(empty, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	for want, o := range map[string]calib.Options{
		"want each text": {Files: []string{calib.Demo, calib.Demo}},
		"no text of two": {Files: []string{empty}},
		"no such file":   {Files: []string{empty + "x.txt"}},
		"want auto, yes": {BOS: "perhaps"},
		"named twice":    {Files: []string{"-", "-"}, Stdin: strings.NewReader("a b c")},
	} {
		if _, err := calib.Read(t.Context(), m, words, o); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v, want %q", o, err, want)
		}
	}
}

// Several texts share the tokens, stand in turns with half of each among the even sequences, and are what each is alone.
func TestSeveralTextsStandInTurns(t *testing.T) {
	m, words := open(t)
	short := filepath.Join(t.TempDir(), "short.txt")
	if err := os.WriteFile(short, []byte("The dog ran to the river, and the cat sat by the tree and saw it."), 0o644); err != nil {
		t.Fatal(err)
	}
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	text, err := calib.Read(t.Context(), m, words, calib.Options{Files: []string{short, calib.Demo, calib.Self}, Tokens: 900, Length: 50})
	if err != nil {
		t.Fatal(err)
	}
	if len(text.Parts) != 3 || len(text.Of) != len(text.Sequences) || text.Tokens < 870 || text.Tokens > 900 || text.Asked != 900 {
		t.Fatalf("%d parts, %d of %d sequences told apart, %d tokens", len(text.Parts), len(text.Of), len(text.Sequences), text.Tokens)
	}
	seen := make([]int, len(text.Parts))
	even := make([]int, len(text.Parts))
	for i, of := range text.Of {
		if want := text.Parts[of].Sequences[seen[of]]; !reflect.DeepEqual(text.Sequences[i], want) {
			t.Fatalf("sequence %d is not number %d of part %d", i, seen[of], of)
		}
		if seen[of]++; i%2 == 0 {
			even[of]++
		}
	}
	for i, p := range text.Parts {
		if seen[i] != len(p.Sequences) || 2*even[i] < seen[i]-1 || 2*even[i] > seen[i]+1 {
			t.Errorf("%s: %d of %d sequences, %d of them even", p.Source, seen[i], len(p.Sequences), even[i])
		}
	}
	if rest := (900 - text.Parts[0].Tokens) / 2; text.Parts[0].Tokens > 100 || text.Parts[1].Asked != rest {
		t.Errorf("the short text has %d tokens, the next one was asked for %d, want %d", text.Parts[0].Tokens, text.Parts[1].Asked, rest)
	}
	alone, err := calib.Read(t.Context(), m, words, calib.Options{Files: []string{calib.Demo}, Tokens: text.Parts[1].Asked, Length: 50})
	if err != nil || !reflect.DeepEqual(alone, text.Parts[1]) {
		t.Errorf("the demo's text beside others is not what it is alone: %v", err)
	}
}

// Of texts whose sequences have different lengths every beginning holds as much of each, to two sequences.
func TestSeveralTextsStandEvenly(t *testing.T) {
	m, words := open(t)
	short := filepath.Join(t.TempDir(), "short.jsonl")
	if err := os.WriteFile(short, []byte(strings.Repeat(`{"text": "The dog ran to the river."}`+"\n", 200)), 0o644); err != nil {
		t.Fatal(err)
	}
	const length = 100
	text, err := calib.Read(t.Context(), m, words, calib.Options{Files: []string{calib.Demo, short}, Tokens: 1600, Length: length})
	if err != nil {
		t.Fatal(err)
	}
	if longer := len(text.Parts[1].Sequences); longer < 5*len(text.Parts[0].Sequences) {
		t.Fatalf("%d sequences of the short text: its documents are not short", longer)
	}
	var tokens [2]int
	for i, of := range text.Of {
		tokens[of] += len(text.Sequences[i].IDs)
		if apart := tokens[0] - tokens[1]; apart < -2*length || apart > 2*length {
			t.Fatalf("the first %d sequences have %d tokens of one text and %d of the other", i+1, tokens[0], tokens[1])
		}
	}
}

// A growing text keeps what it has, and is at every length what is read at once to that length.
func TestAGrowingTextIsWhatIsReadAtOnce(t *testing.T) {
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	m, words := open(t)
	g, err := calib.Begin(t.Context(), m, words, calib.Options{Files: []string{calib.Demo}, Tokens: 2000, Length: 60})
	if err != nil {
		t.Fatal(err)
	}
	for _, tokens := range []int{300, 301, 900, 5000} {
		text, more, err := g.To(t.Context(), tokens)
		if err != nil || text.Tokens < min(tokens, 1950) || text.Tokens > min(tokens+60, 2000) || more != (tokens < 2000) {
			t.Fatalf("%d tokens, want %d; more %v, %v", text.Tokens, tokens, more, err)
		}
		once, err := calib.Read(t.Context(), m, words, calib.Options{Files: []string{calib.Demo}, Tokens: text.Tokens, Length: 60})
		if err != nil || !reflect.DeepEqual(text.Sequences, once.Sequences) || text.SHA256 != once.SHA256 {
			t.Errorf("%d tokens are not what is read at once: %v", text.Tokens, err)
		}
	}
	g, err = calib.Begin(t.Context(), m, words, calib.Options{Files: []string{calib.Demo, calib.Self}, Tokens: 2000, Length: 60, Seed: 4})
	if err != nil {
		t.Fatal(err)
	}
	before, _, err := g.To(t.Context(), 300)
	if err != nil {
		t.Fatal(err)
	}
	after, more, err := g.To(t.Context(), 700)
	if err != nil || !more || after.Tokens < 690 || after.Parts[1].Tokens < 340 || before.SHA256 == after.SHA256 {
		t.Errorf("%d tokens, %d of them the model's own, more %v, %v", after.Tokens, after.Parts[1].Tokens, more, err)
	}
	if !reflect.DeepEqual(before.Sequences, after.Sequences[:len(before.Sequences)]) || !reflect.DeepEqual(before.Of, after.Of[:len(before.Of)]) {
		t.Error("what had been taken has changed")
	}
}
