// Package peers_test holds what the program writes against the programs that other people would give it to.
package peers_test

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"avssnative/bench"
	"avssnative/engine"
	"avssnative/internal/need"
	"avssnative/internal/smallworld"
	"avssnative/prune"
	"avssnative/tokenizer"
)

// How many items of a task are judged.
const smallWorldItems, dataItems = 40, 20

// judgedByHarness is what lm_eval_judge.py prints.
type judgedByHarness struct {
	Version string `json:"lm_eval"`
	Layers  int
	Tasks   map[string]struct {
		Metrics map[string]float64
		Items   [][]harnessReply
	}
}

// harnessReply is [log-likelihood, greedy].
type harnessReply struct {
	LogLikelihood float64
	Greedy        bool
}

func (r *harnessReply) UnmarshalJSON(data []byte) error {
	return json.Unmarshal(data, &[]any{&r.LogLikelihood, &r.Greedy})
}

// A smaller demo, written by us, is loaded and judged by lm-evaluation-harness over transformers, and judged by us from the same folder. Two
// float32 implementations whose sums run over thousands of values may differ by 1e-3 of a log-likelihood plus 1e-3; greedy
// flags must be equal, and so must metrics, but for items whose best two choices the harness itself has that close.
func TestHarnessJudgesThePrunedDemoAlike(t *testing.T) {
	if testing.Short() {
		t.Skip("skipped: short: loads lm_eval, torch and transformers")
	}
	python := harnessPython(t)
	folder := prunedDemo(t)
	text := t.TempDir()
	for name, data := range map[string][]byte{"qa.jsonl": smallworld.QA(), "sentiment.jsonl": smallworld.Sentiment()} {
		if err := os.WriteFile(filepath.Join(text, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	arguments := []string{"--small-world", text, "--small-world-items", fmt.Sprint(smallWorldItems)}
	var data string
	t.Run("shared data", func(t *testing.T) { data = need.Data(t, "eval") })
	if data != "" {
		arguments = append(arguments, "--data", data, "--data-items", fmt.Sprint(dataItems))
	}
	theirs := judgeByHarness(t, python, folder, arguments...) // once: loading the harness takes longer than judging
	holdAgainstHarness(t, theirs, folder, bench.Source{}, smallWorldItems, "small_world_qa", "small_world_sentiment")
	if data != "" {
		holdAgainstHarness(t, theirs, folder, bench.Source{Dir: data}, dataItems, "sst2", "arc_easy")
	}
}

func harnessPython(t *testing.T) string {
	t.Helper()
	python := os.Getenv("AVSSNATIVE_PYTHON")
	if python == "" {
		need.Missing(t, "AVSSNATIVE_PYTHON, a Python with lm_eval, torch and transformers")
	}
	probe := "import importlib.util as u, sys; sys.exit(any(u.find_spec(m) is None for m in ('lm_eval', 'torch', 'transformers', 'accelerate', 'yaml')))"
	if err := exec.Command(python, "-c", probe).Run(); err != nil {
		need.Missing(t, "lm_eval[hf], torch or transformers in the Python of AVSSNATIVE_PYTHON")
	}
	return python
}

// prunedDemo writes the demo without its last four layers.
func prunedDemo(t *testing.T) string {
	t.Helper()
	model, err := engine.Open(t.Context(), "demo", engine.Options{Device: "cpu"})
	if err != nil {
		t.Fatal(err)
	}
	defer model.Close()
	folder := filepath.Join(t.TempDir(), "smaller")
	if err := prune.Write(t.Context(), model, engine.Layers(12, 13, 14, 15), folder, prune.Options{}); err != nil {
		t.Fatal(err)
	}
	return folder
}

func judgeByHarness(t *testing.T, python, folder string, arguments ...string) judgedByHarness {
	t.Helper()
	work := t.TempDir()
	out := runScript(t, python, "", "lm_eval_judge.py", append([]string{"--model", folder, "--work", work}, arguments...)...)
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	var judged judgedByHarness
	if err := json.Unmarshal([]byte(lines[len(lines)-1]), &judged); err != nil {
		t.Fatalf("lm_eval_judge.py printed no JSON: %v\n%s", err, out)
	}
	if judged.Layers != 12 {
		t.Fatalf("the harness loaded a model of %d layers, want 12", judged.Layers)
	}
	return judged
}

func holdAgainstHarness(t *testing.T, theirs judgedByHarness, folder string, source bench.Source, items int, tasks ...string) {
	t.Helper()
	for _, ours := range judgeOurselves(t, folder, source, items, tasks...) {
		peer, found := theirs.Tasks[ours.Task]
		if !found || len(peer.Items) != items || len(ours.Items) != items || len(peer.Metrics) == 0 {
			t.Errorf("%s: %d items and %d metrics from the harness, %d items from us, want %d", ours.Task, len(peer.Items), len(peer.Metrics), len(ours.Items),
				items)
			continue
		}
		worst, close := 0.0, 0
		for i, item := range ours.Items {
			replies := peer.Items[i]
			if len(replies) != len(item.LogLikelihoods) {
				t.Fatalf("%s: item %d: %d choices, the harness has %d", ours.Task, i, len(item.LogLikelihoods), len(replies))
			}
			for j, reply := range replies {
				l, allowed := item.LogLikelihoods[j], 1e-3+1e-3*math.Abs(reply.LogLikelihood)
				worst = max(worst, math.Abs(l-reply.LogLikelihood)/allowed)
				if !(math.Abs(l-reply.LogLikelihood) <= allowed) {
					t.Errorf("%s: item %d, choice %d: log-likelihood %v, the harness has %v", ours.Task, i, j, l, reply.LogLikelihood)
				}
				if item.Greedy[j] != reply.Greedy {
					t.Errorf("%s: item %d, choice %d: greedy %v, the harness has %v", ours.Task, i, j, item.Greedy[j], reply.Greedy)
				}
			}
			if tied(replies) {
				close++
			}
		}
		t.Logf("%s: %d items, lm_eval %s: largest difference %.4f of what is allowed; %d items too close to call", ours.Task, items, theirs.Version, worst,
			close)
		for name, value := range peer.Metrics {
			m, found := ours.Metric(name)
			if !found || math.Abs(m.Value-value) > 1e-12+float64(close)/float64(items) {
				t.Errorf("%s: %s %v, the harness has %v", ours.Task, name, m.Value, value)
			}
		}
	}
}

// tied says whether the two best choices are nearer to each other than two implementations may be.
func tied(replies []harnessReply) bool {
	best, second := math.Inf(-1), math.Inf(-1)
	for _, r := range replies {
		if r.LogLikelihood > best {
			best, second = r.LogLikelihood, best
		} else {
			second = max(second, r.LogLikelihood)
		}
	}
	return best-second < 2*(1e-3+1e-3*math.Abs(best))
}

func judgeOurselves(t *testing.T, folder string, source bench.Source, items int, tasks ...string) []bench.Result {
	t.Helper()
	model, err := engine.Open(t.Context(), folder, engine.Options{Device: "cpu"})
	if err != nil {
		t.Fatal(err)
	}
	defer model.Close()
	words, err := tokenizer.Open(folder)
	if err != nil {
		t.Fatal(err)
	}
	sets, err := bench.Load(t.Context(), tasks, source, bench.Limit{Items: items})
	if err != nil {
		t.Fatal(err)
	}
	suite, err := bench.Prepare(sets, words, bench.Options{MaxLength: model.Spec.Context})
	if err != nil {
		t.Fatal(err)
	}
	outcome, err := model.Run(t.Context(), engine.Pass{Sequences: suite.Sequences})
	if err != nil {
		t.Fatal(err)
	}
	results, err := suite.Score(outcome.Scores[0])
	if err != nil {
		t.Fatal(err)
	}
	return results
}
