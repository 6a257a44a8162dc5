package avss

import (
	"bytes"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func testFile(t testing.TB) *File {
	sequences := randomSequences(13, 5, 4)
	var scores []Scores
	var a *AVSS
	for _, m := range everyMetric(0) {
		if err := walk(sequences, m); err != nil {
			t.Fatal(err)
		}
		s, err := m.Scores()
		if err != nil {
			t.Fatal(err)
		}
		scores = append(scores, s)
		if found, ok := m.(*AVSS); ok {
			a = found
		}
	}
	paper, err := a.Of(Paper, SiteBlock, 0)
	if err != nil {
		t.Fatal(err)
	}
	greedy := (&Greedy{Layers: 4, Order: []int{3, 1}, Losses: []float64{1.5, 1.75}, Dense: 1.25, Sequences: 5}).Scores()
	last, err := BaselineScores("last", 4, 0)
	if err != nil {
		t.Fatal(err)
	}
	scores = append(scores, paper, greedy, last)
	rows, err := Rows(a, scores...)
	if err != nil {
		t.Fatal(err)
	}
	f, err := NewFile(ModelInfo{Ref: "tiny", Layers: 4, Hidden: 8, SHA256: "abc"}, CalibrationInfo{Source: "text", Sequences: 5, Tokens: 17}, "", rows,
		scores...)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func TestFileRoundTrip(t *testing.T) {
	f := testFile(t)
	path := filepath.Join(t.TempDir(), "scores.json")
	if err := f.WriteFile(path); err != nil {
		t.Fatal(err)
	}
	back, err := ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(f, back, sameBits); diff != "" {
		t.Error(diff)
	}
	if s, err := back.Find("avss-paper-block"); err != nil || !math.IsInf(s.Values[0], 1) {
		t.Errorf("%v, %v: the infinite scores are lost", s.Values, err)
	}
	if _, err := back.Find("kl"); err == nil || !strings.Contains(err.Error(), "[angular avss avss-paper-block bi greedy l2 last relmag]") {
		t.Errorf("%v does not list what there is", err)
	}
	if _, has := back.Layers[2].Scores["bi"]; !has || back.Layers[2].Sites["mlp"].N == 0 {
		t.Errorf("row %+v", back.Layers[2])
	}
	if err := back.Matches(ModelInfo{Layers: 4, Hidden: 8, SHA256: "abc"}); err != nil {
		t.Error(err)
	}
	for _, m := range []ModelInfo{{Layers: 5, Hidden: 8, SHA256: "abc"}, {Layers: 4, Hidden: 9}, {Layers: 4, Hidden: 8, SHA256: "abd"}} {
		if err := back.Matches(m); err == nil || !strings.Contains(err.Error(), "score this model first") {
			t.Errorf("%+v: %v", m, err)
		}
	}
}

func TestBadFilesAreRefused(t *testing.T) {
	data, err := json.Marshal(testFile(t))
	if err != nil {
		t.Fatal(err)
	}
	for want, change := range map[string]func(f map[string]any){
		"schema 2, want 1":               func(f map[string]any) { f["schema"] = 2 },
		"a model with 0 layers":          func(f map[string]any) { delete(f["model"].(map[string]any), "layers") },
		"4 rows of layers, want 5":       func(f map[string]any) { f["model"].(map[string]any)["layers"] = 5 },
		"layers[1]: index 7, want 1":     func(f map[string]any) { f["layers"].([]any)[1].(map[string]any)["index"] = 7 },
		"bi: 1 scores, want 4":           func(f map[string]any) { scoresIn(f, "bi")["values"] = []any{1} },
		"bi: layer 1 has no score":       func(f map[string]any) { scoresIn(f, "bi")["values"].([]any)[1] = nil },
		"bi: layer 0: interval from 9":   func(f map[string]any) { scoresIn(f, "bi")["low"].([]any)[0] = 9 },
		"bi: 4 lower and 0 upper bounds": func(f map[string]any) { delete(scoresIn(f, "bi"), "high") },
		"bi: holds the scores of l2":     func(f map[string]any) { scoresIn(f, "bi")["metric"] = "l2" },
		`metric "new" is unknown`:        func(f map[string]any) { scoresIn(f, "bi")["metric"] = "new" },
		"order [3 3]: layer 3":           func(f map[string]any) { scoresIn(f, "greedy")["order"] = []any{3, 3} },
		"2 layers in order with 0":       func(f map[string]any) { delete(scoresIn(f, "greedy"), "losses") },
		"set [0 1 2 3]: want some of 4":  func(f map[string]any) { scoresIn(f, "greedy")["sets"] = sets([]int{0, 1, 2, 3}) },
		"set [2 1]: layer 1":             func(f map[string]any) { scoresIn(f, "greedy")["proposed"] = sets([]int{2, 1}) },
		"set [3] follows one of 2":       func(f map[string]any) { scoresIn(f, "greedy")["sets"] = sets([]int{0, 2}, []int{3}) },
		"angular: 1 rows of distances":   func(f map[string]any) { scoresIn(f, "angular")["distance"] = []any{[]any{1}} },
		"layers 0 to 1 is 2, want 0 to":  func(f map[string]any) { scoresIn(f, "angular")["distance"].([]any)[0].([]any)[2] = 2 },
		"distances from layer 3: 1":      func(f map[string]any) { scoresIn(f, "angular")["distance"].([]any)[3] = []any{1} },
		`"many" is no number`:            func(f map[string]any) { scoresIn(f, "bi")["values"].([]any)[1] = "many" },
	} {
		var f map[string]any
		if err := json.Unmarshal(data, &f); err != nil {
			t.Fatal(err)
		}
		change(f)
		bad, err := json.Marshal(f)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := ParseFile(bad); err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%v, want %q", err, want)
		}
	}
	path := filepath.Join(t.TempDir(), "scores.json")
	for end := 0; end < len(data); end += 97 {
		if err := os.WriteFile(path, data[:end], 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := ReadFile(path); err == nil || !strings.Contains(err.Error(), path) {
			t.Fatalf("cut to %d bytes: %v", end, err)
		}
	}
	if err := (&File{}).WriteFile(path); err == nil {
		t.Error("an empty file was written")
	}
}

// sets are sets of layers as a file holds them.
func sets(layers ...[]int) (all []any) {
	for _, l := range layers {
		all = append(all, map[string]any{"layers": l, "cost": 1, "by": "beam"})
	}
	return all
}

func scoresIn(f map[string]any, key string) map[string]any {
	return f["scores"].(map[string]any)[key].(map[string]any)
}

// FuzzFile reads any bytes: an error, or a file that is written as it was read.
func FuzzFile(f *testing.F) {
	data, err := json.Marshal(testFile(f))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data)
	f.Add([]byte(`{"schema":1,"model":{"layers":1},"scores":{"bi":{"metric":"bi","values":["inf"],"tau":null}}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		file, err := ParseFile(data)
		if err != nil {
			return
		}
		first, err := json.Marshal(file)
		if err != nil {
			t.Fatal(err)
		}
		back, err := ParseFile(first)
		if err != nil {
			t.Fatal(err)
		}
		if second, err := json.Marshal(back); err != nil || !bytes.Equal(first, second) {
			t.Fatalf("%s, %v, want %s", second, err, first)
		}
	})
}

// A file of scores replaces a former one, and nothing else.
func TestFormerFile(t *testing.T) {
	dir := t.TempDir()
	s := Scores{Metric: "bi", Values: []float64{1, 2}}
	f, err := NewFile(ModelInfo{Layers: 2}, CalibrationInfo{}, "", nil, s)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "scores.json")
	for range 2 {
		if err := f.WriteFile(path); err != nil {
			t.Fatal(err)
		}
	}
	if err := FormerFile(path); err != nil {
		t.Error(err)
	}
	for name, content := range map[string]string{"weights": "\x08\x00\x00\x00\x00\x00\x00\x00{}", "text": "mine", "json": `{"schema": 1}`} {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := f.WriteFile(path); err == nil {
			t.Errorf("%s was replaced", name)
		}
		if kept, _ := os.ReadFile(path); string(kept) != content {
			t.Errorf("%s: %q", name, kept)
		}
	}
}
