package bench

import (
	"encoding/json"
	"math"
	"os"
	"slices"
	"strings"
	"testing"

	"avssnative/engine"
	"avssnative/engine/device"
	"avssnative/internal/demo"
	"avssnative/internal/need"
	"avssnative/tokenizer"
)

// testdata/lm_eval holds what lm-evaluation-harness 0.4.13 says of three trained models (float32, no few-shot examples, the tokenizer's
// own BOS): its metrics, and every choice's log-likelihood and greedy flag, item by item. Ours agree when each log-likelihood is within
// 1e-3 of its size plus 1e-3, which is what two float32 implementations of thousands of additions may differ by, and the metrics are
// equal. A choice may differ where the peer's own best two are closer than that.
type golden struct {
	LMEval    string `json:"lm_eval"`
	MaxLength int    `json:"max_length"`
	Tasks     map[string]struct {
		N       int
		Metrics map[string]float64
		Items   [][]json.RawMessage
	}
}

// goldenLimit is how many items of a task are compared: all where the fast device is there, a few where only the plain one is.
func goldenDevice(t *testing.T) (on string, limit int) {
	if os.Getenv("AVSSNATIVE_GOLDEN_DEVICE") != "" {
		return os.Getenv("AVSSNATIVE_GOLDEN_DEVICE"), 200
	}
	if _, err := device.List("cpu"); err == nil {
		return "cpu", 200
	}
	return "reference", 2
}

func TestLMEval(t *testing.T) {
	on, limit := goldenDevice(t)
	for _, name := range []string{"tiny16", "stories260K-hf", "babyllama-tok361-hf"} {
		data, err := os.ReadFile("testdata/lm_eval/" + name + ".json")
		if err != nil {
			t.Fatal(err)
		}
		var g golden
		if err := json.Unmarshal(data, &g); err != nil {
			t.Fatal(err)
		}
		// What is inside the program needs no shared data.
		inside, shared := []string{}, []string{}
		for task := range g.Tasks {
			if strings.HasPrefix(task, "small_world") {
				inside = append(inside, task)
			} else {
				shared = append(shared, task)
			}
		}
		if len(inside) > 0 {
			t.Run(name+"/inside", func(t *testing.T) {
				folder, err := demo.Folder()
				if err != nil {
					t.Fatal(err)
				}
				agree(t, g, folder, Source{}, inside, on, limit)
			})
		}
		t.Run(name+"/shared", func(t *testing.T) {
			agree(t, g, need.Data(t, "models/"+name), Source{Dir: need.Data(t, "eval")}, shared, on, limit)
		})
	}
}

func agree(t *testing.T, g golden, folder string, source Source, names []string, on string, limit int) {
	slices.Sort(names)
	model, err := engine.Open(t.Context(), folder, engine.Options{Device: on})
	if err != nil {
		t.Fatal(err)
	}
	defer model.Close()
	tok, err := tokenizer.Open(folder)
	if err != nil {
		t.Fatal(err)
	}
	var sets []Set
	for _, name := range names {
		set, err := Load(t.Context(), []string{name}, source, Limit{Items: min(limit, g.Tasks[name].N)})
		if err != nil {
			t.Fatal(err)
		}
		sets = append(sets, set...)
	}
	suite, err := Prepare(sets, tok, Options{MaxLength: model.Spec.Context})
	if err != nil {
		t.Fatal(err)
	}
	if model.Spec.Context != g.MaxLength {
		t.Errorf("context %d, the peer takes %d", model.Spec.Context, g.MaxLength)
	}
	outcome, err := model.Run(t.Context(), engine.Pass{Sequences: suite.Sequences})
	if err != nil {
		t.Fatal(err)
	}
	results, err := suite.Score(outcome.Scores[0])
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range results {
		want := g.Tasks[r.Task]
		worst, flags, close := 0.0, 0, false
		for i, item := range r.Items {
			replies := want.Items[i]
			if len(replies) != len(item.LogLikelihoods) {
				t.Fatalf("%s: item %d: %d choices, the peer has %d", r.Task, i, len(item.LogLikelihoods), len(replies))
			}
			var theirs []float64
			for j, reply := range replies {
				l, greedy := parseReply(t, reply)
				theirs = append(theirs, l)
				ours := item.LogLikelihoods[j]
				allowed := 1e-3 + 1e-3*math.Abs(l)
				worst = max(worst, math.Abs(ours-l)/allowed)
				if math.Abs(ours-l) > allowed {
					t.Errorf("%s: item %d, choice %d: log-likelihood %v, the peer has %v", r.Task, i, j, ours, l)
				}
				if greedy != nil && *greedy != item.Greedy[j] {
					flags++
				}
			}
			slices.Sort(theirs)
			for j := 1; j < len(theirs); j++ {
				close = close || theirs[j]-theirs[j-1] < 2e-3
			}
		}
		t.Logf("%s: %d items; largest difference %.4f of what is allowed", r.Task, r.N, worst)
		if flags > 0 {
			t.Errorf("%s: %d greedy flags differ", r.Task, flags)
		}
		if r.N != want.N {
			continue
		}
		for key, value := range want.Metrics {
			name, _, _ := strings.Cut(key, ",")
			m, found := r.Metric(name)
			if !found || math.Abs(m.Value-value) > allowedMetric(name, value, close, r.N) {
				t.Errorf("%s: %s %v, the peer has %v", r.Task, name, m.Value, value)
			}
		}
	}
}

// allowedMetric is nothing for a share of right answers, unless some item's choices are too close to call; a perplexity may differ by what
// its log-likelihoods may.
func allowedMetric(name string, value float64, close bool, n int) float64 {
	switch {
	case !isAccuracy(name):
		return 1e-3 * value * max(1, math.Log(value))
	case close:
		return 1.5 / float64(n)
	}
	return 1e-12
}

// parseReply reads [log-likelihood, greedy], or a log-likelihood alone for what is rolled.
func parseReply(t *testing.T, raw json.RawMessage) (float64, *bool) {
	t.Helper()
	var l float64
	if json.Unmarshal(raw, &l) == nil {
		return l, nil
	}
	var greedy bool
	if err := json.Unmarshal(raw, &[]any{&l, &greedy}); err != nil {
		t.Fatal(err)
	}
	return l, &greedy
}
