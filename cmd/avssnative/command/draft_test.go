package command

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// The best draft is written in the form the model came in, and the text with it is the text without it.
func TestDraft(t *testing.T) {
	out := filepath.Join(t.TempDir(), "draft")
	printed := done(t, "draft", "--calib-tokens=300", "--seq-len=64", "--shares=25,50", "--tokens=12", "--out", out, "--json")
	var found draftJSON
	if err := json.Unmarshal([]byte(printed), &found); err != nil {
		t.Fatal(err)
	}
	if len(found.Candidates) < 2 || found.Measured == nil || found.Measured.Tokens == 0 || found.Measured.Gain <= 0 || found.Output != out {
		t.Fatalf("%s", printed)
	}
	for i, c := range found.Candidates {
		if c.Dropped == "" || c.Acceptance < 0 || c.Acceptance > 1 || c.Cost <= 0 || i > 0 && c.Gain > found.Candidates[i-1].Gain {
			t.Errorf("candidate %d: %+v", i, c)
		}
	}
	if _, err := os.Stat(filepath.Join(out, "config.json")); err != nil {
		t.Error(err)
	}
	plain := saidBy(t, "--prompt", "Once upon a time", "--tokens=24")
	for _, with := range [][]string{{"--draft", out}, {"--draft", out, "--draft-tokens=7"}, {"--draft", "demo", "--draft-tokens=2"}} {
		said := saidBy(t, append([]string{"--prompt", "Once upon a time", "--tokens=24"}, with...)...)
		if !slices.Equal(said.Tokens, plain.Tokens) || said.Proposed == 0 {
			t.Errorf("%v: %v, %d proposed; want %v", with, said.Tokens, said.Proposed, plain.Tokens)
		}
	}
	if said := saidBy(t, "--prompt", "Once upon a time", "--tokens=24", "--draft", "demo"); said.Accepted != said.Proposed {
		t.Errorf("the model itself: %d of %d accepted", said.Accepted, said.Proposed)
	}
	shown := done(t, "draft", "--calib-tokens=300", "--seq-len=64", "--shares=25", "--tokens=4")
	for _, want := range []string{"ACCEPTED", "predicted", "measured"} {
		if !strings.Contains(shown, want) {
			t.Errorf("the table lacks %q: %s", want, shown)
		}
	}
}

// A draft may lack halves of layers, of as many bytes.
func TestDraftOfHalves(t *testing.T) {
	out := filepath.Join(t.TempDir(), "draft")
	printed := done(t, "draft", "--unit=sublayer", "--calib-tokens=300", "--seq-len=64", "--shares=25", "--tokens=12", "--out", out, "--json")
	var found draftJSON
	if err := json.Unmarshal([]byte(printed), &found); err != nil {
		t.Fatal(err)
	}
	halves := 0
	for _, c := range found.Candidates {
		if strings.Contains(c.Dropped, "attn") || strings.Contains(c.Dropped, "mlp") {
			halves++
		}
		if c.Share <= 0 || c.Share >= 1 || c.Cost <= 0 {
			t.Errorf("%+v", c)
		}
	}
	if halves == 0 || found.Output != out {
		t.Fatalf("%s", printed)
	}
	plain := saidBy(t, "--prompt", "Once upon a time", "--tokens=24")
	if said := saidBy(t, "--prompt", "Once upon a time", "--tokens=24", "--draft", out); !slices.Equal(said.Tokens, plain.Tokens) || said.Proposed == 0 {
		t.Errorf("with the draft %v, without %v", said.Tokens, plain.Tokens)
	}
}

// With a temperature what is proposed is accepted with Σ min(p, q), and of the model itself always.
func TestDraftDraws(t *testing.T) {
	printed := done(t, "draft", "--calib-tokens=300", "--seq-len=64", "--shares=25", "--tokens=8", "--temperature=0.8", "--json")
	var found draftJSON
	if err := json.Unmarshal([]byte(printed), &found); err != nil {
		t.Fatal(err)
	}
	for _, c := range found.Candidates {
		if c.Acceptance != c.Overlap || c.Overlap <= 0 || c.Overlap >= 1 || c.SameTop == c.Overlap {
			t.Errorf("%+v", c)
		}
	}
	if found.Measured == nil || found.Measured.Gain <= 0 {
		t.Errorf("%s", printed)
	}
	drawn := func(seed string) saidJSON {
		return saidBy(t, "--prompt", "Once upon a time", "--tokens=24", "--draft", "demo", "--temperature=1.5", "--seed", seed, "--ignore-eos")
	}
	a, b := drawn("1"), drawn("1")
	if !slices.Equal(a.Tokens, b.Tokens) || a.Proposed == 0 || a.Accepted < a.Proposed-1 {
		t.Errorf("one seed: %+v and %+v", a.Continued, b.Continued)
	}
	if slices.Equal(a.Tokens, drawn("2").Tokens) {
		t.Error("two seeds gave the same text")
	}
}

func TestDraftRefuses(t *testing.T) {
	refused(t, exitUsage, []string{"--temperature NaN"}, "draft", "--temperature=NaN")
	refused(t, exitUsage, []string{"--draft-tokens -1"}, "generate", "--prompt=x", "--draft=demo", "--draft-tokens=-1")
	refused(t, exitFailed, []string{"--draft", "vocabulary"}, "generate", "--prompt=x", "--draft", otherWords(t))
	refused(t, exitUsage, []string{"--tokens 1"}, "draft", "--tokens=1")
	refused(t, exitFailed, []string{"a share of 0.01 of 16 layers is 0"}, "draft", "--shares=1", "--calib-tokens=300", "--seq-len=64")
}

// otherWords is the demo with one token spelled otherwise.
func otherWords(t *testing.T) string {
	t.Helper()
	folder := t.TempDir()
	if err := os.CopyFS(folder, os.DirFS(demoFolder(t))); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(folder, "tokenizer.json")
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var words struct {
		Model struct{ Vocab map[string]int }
	}
	if err := json.Unmarshal(data, &words); err != nil {
		t.Fatal(err)
	}
	changed := ""
	for token, id := range words.Model.Vocab {
		if id == len(words.Model.Vocab)-1 {
			changed = token
		}
	}
	spelled, err := json.Marshal(changed)
	if err != nil {
		t.Fatal(err)
	}
	// In the vocabulary alone, which no merge then makes.
	text := strings.Replace(string(data), string(spelled)+":", `"neverseen":`, 1)
	text = strings.Replace(text, string(spelled)+" :", `"neverseen" :`, 1)
	if text == string(data) {
		t.Fatalf("token %q was not found", changed)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return folder
}
