package command

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A task of one's own is answered by the dense and the pruned model, with examples and by a chat template, and judged.
func TestEvalOfAnswers(t *testing.T) {
	dir := t.TempDir()
	folder := filepath.Join(dir, "model")
	if err := os.CopyFS(folder, os.DirFS(demoFolder(t))); err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string]string{
		"mine.jsonl":                `{"prompt": "The ball is of wood.\nQuestion: What is the ball made of?\nAnswer:", "answers": ["wood"], "match": "loose"}` + "\n",
		"mine.shots.jsonl":          `{"prompt": "The cup was made of glass.\nQuestion: What is the cup made of?\nAnswer:", "answers": ["glass"]}` + "\n",
		"model/chat_template.jinja": "{% for m in messages %}{{ m.content }}{{ ' ' if m.role == 'user' else '\n\n' }}{% endfor %}",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	task := "mine=" + filepath.Join(dir, "mine.jsonl")
	for _, framed := range [][]string{nil, {"--shots=1"}, {"--shots=1", "--chat"}} {
		samples := filepath.Join(t.TempDir(), "samples.jsonl")
		out := done(t, append([]string{"eval", "--model", folder, "--tasks", task, "--drop=3", "--samples", samples, "--json"}, framed...)...)
		var report struct {
			Tasks map[string]struct {
				N             int
				FewShot       int `json:"few_shot"`
				Chat          bool
				Dense, Pruned struct{ Value float64 }
			}
			Results map[string]map[string]any
		}
		if err := json.Unmarshal([]byte(out), &report); err != nil {
			t.Fatal(err)
		}
		mine := report.Tasks["mine"]
		if mine.N != 1 || mine.FewShot != min(len(framed), 1) || mine.Chat != (len(framed) == 2) || mine.Dense.Value != 0 && mine.Dense.Value != 1 {
			t.Errorf("%v: %+v", framed, mine)
		}
		if _, has := report.Results["mine"]["exact_match,match"]; !has {
			t.Errorf("%v: results %v", framed, report.Results)
		}
		if data, err := os.ReadFile(samples); err != nil || strings.Count(string(data), `"said"`) != 2 {
			t.Errorf("%v: samples %s, %v", framed, data, err)
		}
	}
	done(t, "bench", "--model", folder, "--tasks", task, "--shares=25", "--metrics=bi", "--random=1", "--calib=demo", "--calib-tokens=300",
		"--seq-len=64", "--one-by-one")
	refused(t, exitFailed, []string{"mine", "2 examples", "has 1"}, "eval", "--tasks", task, "--shots=2")
	refused(t, exitUsage, []string{"--shots -1"}, "eval", "--shots=-1")
	refused(t, exitFailed, []string{"no chat template"}, "eval", "--tasks", task, "--chat")
	refused(t, exitFailed, []string{"inside the program"}, "eval", "--shots=1")
	if err := os.WriteFile(filepath.Join(dir, "bad.jsonl"), []byte(`{"prompt": "x", "answers": ["y"], "match": "nearly"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	refused(t, exitUsage, []string{"bad.jsonl", `match "nearly"`}, "eval", "--tasks", "bad="+filepath.Join(dir, "bad.jsonl"))
}
