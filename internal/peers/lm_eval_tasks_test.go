package peers_test

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"avssnative/bench"
	"avssnative/engine"
	"avssnative/internal/chat"
	"avssnative/internal/need"
	"avssnative/tokenizer"
)

// harnessTasks are judged by both sides, questions with choices and questions that are answered in the model's own words.
var harnessTasks = []string{"gsm8k", "triviaqa", "xquad", "own", "copa", "commonsense_qa", "winogrande", "boolq", "arc_challenge",
	"hellaswag", "sciq"}

// harnessTexts are judged by both sides where nothing stands in front: a text has no examples and no turns.
var harnessTexts = []string{"lambada_openai", "wikitext"}

// askedTasks are those of a case.
func askedTasks(shots int, chat string) []string {
	if shots > 0 || chat != "" {
		return harnessTasks
	}
	return slices.Concat(harnessTasks, harnessTexts)
}

// What lm_eval_tasks.py prints.
type harnessJudgement struct {
	Version string `json:"lm_eval"`
	Tasks   map[string]struct {
		Metrics map[string]float64
		Items   []struct {
			Replies []harnessReply
			Texts   []string
			Marks   map[string]float64
		}
	}
}

// The same questions, from the same files, with and without examples and a chat template, to the same small trained model: what it answers in
// its own words is the same text with the same marks, log-likelihoods are within 1e-3 and a thousandth, greedy flags and metrics the same, but
// for items whose best two choices the harness itself has that close.
func TestHarnessJudgesTasksAlike(t *testing.T) {
	if testing.Short() {
		t.Skip("skipped: short: loads lm_eval, torch and transformers, several times")
	}
	python, data := harnessPython(t), need.Data(t, "eval")
	template := filepath.Join(need.Root(), "internal", "chat", "testdata", "chatml.jinja")
	for _, c := range []struct {
		model        string
		items, shots int
		chat         string
	}{
		{"tiny16", 4, 0, ""}, {"stories260K-hf", 4, 0, ""}, {"tiny16", 3, 3, ""}, {"stories260K-hf", 3, 5, ""}, {"tiny16", 3, 2, template},
	} {
		t.Run(fmt.Sprintf("%s/%d shots/%s", c.model, c.shots, filepath.Base(c.chat)), func(t *testing.T) {
			folder, work := need.Data(t, "models/"+c.model), t.TempDir()
			out := runScript(t, python, "", "lm_eval_tasks.py", "--model", folder, "--work", work, "--data", data, "--written", "testdata",
				"--items", fmt.Sprint(c.items), "--shots", fmt.Sprint(c.shots), "--chat", c.chat, "--only", strings.Join(askedTasks(c.shots, c.chat), ","))
			lines := strings.Split(strings.TrimSpace(string(out)), "\n")
			var peer harnessJudgement
			if err := json.Unmarshal([]byte(lines[len(lines)-1]), &peer); err != nil {
				t.Fatalf("lm_eval_tasks.py printed no JSON: %v\n%s", err, out)
			}
			for _, ours := range judgeTasks(t, folder, work, c.shots, c.chat) {
				compareJudgement(t, peer, ours, c.items)
			}
		})
	}
}

// judgeTasks judges the files that the script wrote.
func judgeTasks(t *testing.T, folder, work string, shots int, chatTemplate string) []bench.Result {
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
	var names []string
	for _, name := range askedTasks(shots, chatTemplate) {
		file := filepath.Join(work, name+".jsonl")
		if name == "xquad" {
			file = squadOf(t, file)
		}
		if name == "wikitext" {
			file = pagesOf(t, file)
		}
		names = append(names, name+"="+file)
	}
	sets, err := bench.Load(t.Context(), names, bench.Source{}, bench.Limit{})
	if err != nil {
		t.Fatal(err)
	}
	framing := bench.Framing{Shots: shots}
	if chatTemplate != "" {
		framing.Chat = writtenBy(t, words, chatTemplate)
	}
	if err := bench.Frame(sets, framing); err != nil {
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
	eos, _ := words.EOS()
	answers, err := suite.Say(t.Context(), model, bench.Saying{Ends: []int32{eos}})
	if err != nil {
		t.Fatal(err)
	}
	results, err := suite.Judge(outcome.Scores[0], answers)
	if err != nil {
		t.Fatal(err)
	}
	return results
}

// writtenBy renders conversations by a template, with a tokenizer's special tokens.
func writtenBy(t *testing.T, words *tokenizer.Tokenizer, path string) func([]bench.Turn) (string, error) {
	t.Helper()
	source, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	template, err := chat.Compile(string(source), nil)
	if err != nil {
		t.Fatal(err)
	}
	return func(turns []bench.Turn) (string, error) {
		messages := make([]chat.Message, len(turns))
		for i, turn := range turns {
			messages[i] = chat.Message(turn)
		}
		return template.Render(messages, true)
	}
}

// squadOf writes the script's rows, and those of its examples, in SQuAD's own form.
func squadOf(t *testing.T, rows string) string {
	t.Helper()
	made := ""
	for _, name := range []string{strings.TrimSuffix(rows, ".jsonl") + ".shots", strings.TrimSuffix(rows, ".jsonl")} {
		data, err := os.ReadFile(name + ".jsonl")
		if err != nil {
			t.Fatal(err)
		}
		type text struct {
			Text string `json:"text"`
		}
		type question struct {
			Question string `json:"question"`
			Answers  []text `json:"answers"`
		}
		type paragraph struct {
			Context string     `json:"context"`
			QAs     []question `json:"qas"`
		}
		var paragraphs []paragraph
		for line := range strings.Lines(string(data)) {
			var row struct {
				Context, Question string
				Answers           []string
			}
			if err := json.Unmarshal([]byte(line), &row); err != nil {
				t.Fatal(err)
			}
			q := question{Question: row.Question}
			for _, answer := range row.Answers {
				q.Answers = append(q.Answers, text{answer})
			}
			paragraphs = append(paragraphs, paragraph{row.Context, []question{q}})
		}
		if data, err = json.Marshal(map[string]any{"data": []any{map[string]any{"paragraphs": paragraphs}}}); err != nil {
			t.Fatal(err)
		}
		made = name + ".json"
		if err := os.WriteFile(made, data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return made
}

// pagesOf writes the script's pages as one text, as WikiText has them.
func pagesOf(t *testing.T, rows string) string {
	t.Helper()
	data, err := os.ReadFile(rows)
	if err != nil {
		t.Fatal(err)
	}
	var pages []string
	for line := range strings.Lines(string(data)) {
		var row struct{ Page string }
		if err := json.Unmarshal([]byte(line), &row); err != nil {
			t.Fatal(err)
		}
		pages = append(pages, row.Page)
	}
	made := strings.TrimSuffix(rows, ".jsonl") + ".txt"
	if err := os.WriteFile(made, []byte(strings.Join(pages, "\n")), 0o600); err != nil {
		t.Fatal(err)
	}
	return made
}

func compareJudgement(t *testing.T, peer harnessJudgement, ours bench.Result, items int) {
	t.Helper()
	theirs, found := peer.Tasks[ours.Task]
	if !found || len(theirs.Items) != items || len(ours.Items) != items || len(theirs.Metrics) == 0 {
		t.Errorf("%s: %d items and %d metrics from the harness, %d items from us, want %d", ours.Task, len(theirs.Items), len(theirs.Metrics),
			len(ours.Items), items)
		return
	}
	close, right := 0, 0
	for i, item := range ours.Items {
		their := theirs.Items[i]
		if ours.Kind == bench.Generate {
			if !slices.Equal(their.Texts, []string{item.Said}) {
				t.Errorf("%s: item %d: said %q, the harness has %q", ours.Task, i, item.Said, their.Texts)
			}
			for metric, mark := range their.Marks {
				if got, has := item.Marks[strings.TrimSuffix(metric, ",none")]; !has || got != mark {
					t.Errorf("%s: item %d: %s %v, the harness has %v for %q", ours.Task, i, metric, got, mark, item.Said)
				}
				right += int(mark)
			}
			continue
		}
		if len(their.Replies) != len(item.LogLikelihoods) {
			t.Fatalf("%s: item %d: %d choices, the harness has %d", ours.Task, i, len(item.LogLikelihoods), len(their.Replies))
		}
		for k, reply := range their.Replies {
			if l := item.LogLikelihoods[k]; !(math.Abs(l-reply.LogLikelihood) <= 1e-3+1e-3*math.Abs(reply.LogLikelihood)) {
				t.Errorf("%s: item %d, choice %d: log-likelihood %v, the harness has %v", ours.Task, i, k, l, reply.LogLikelihood)
			}
			if ours.Kind != bench.Rolling && item.Greedy[k] != reply.Greedy {
				t.Errorf("%s: item %d, choice %d: greedy %v, the harness has %v", ours.Task, i, k, item.Greedy[k], reply.Greedy)
			}
		}
		if len(their.Replies) > 1 && tied(their.Replies) {
			close++
		}
	}
	for name, value := range theirs.Metrics {
		m, found := ours.Metric(strings.TrimSuffix(name, ",none"))
		within := 1e-12 + float64(close)/float64(items)
		if strings.Contains(name, "perplexity") || strings.HasPrefix(name, "bits") {
			within = 1e-3 * value
		}
		if !found || !(math.Abs(m.Value-value) <= within) {
			t.Errorf("%s: %s %v, the harness has %v", ours.Task, name, m.Value, value)
		}
	}
	t.Logf("%s: %d items, lm_eval %s: %v; %d too close to call, %d marks given", ours.Task, items, peer.Version, theirs.Metrics, close, right)
}
