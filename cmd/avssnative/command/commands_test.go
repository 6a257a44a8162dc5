package command

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"avssnative/engine"
	"avssnative/internal/report"
	"avssnative/internal/safetensors"

	"github.com/google/go-cmp/cmp"
)

func TestHelpAndUsage(t *testing.T) {
	if out := done(t, "--help"); !strings.Contains(out, "score") || !strings.Contains(out, "bench") {
		t.Errorf("help: %q", out)
	}
	if out := done(t); !strings.Contains(out, "COMMANDS") {
		t.Errorf("no arguments: %q", out)
	}
	if out := done(t, "score", "--help-all"); !strings.Contains(out, "AVSSNATIVE_CALIB_TOKENS") {
		t.Errorf("help of score names no variable: %q", out)
	}
	refused(t, exitUsage, []string{`unknown command "scroe", perhaps score;`}, "scroe")
	refused(t, exitUsage, []string{"unknown command", "--help"}, "xyzzyplugh")
	refused(t, exitUsage, []string{"run: no flag --metirc, perhaps --metric;"}, "run", "--metirc", "bi")
	refused(t, exitUsage, []string{"limit"}, "eval", "--limit", "many")
	refused(t, exitUsage, []string{"log-level", "debug"}, "--log-level", "loud", "devices")
	refused(t, exitUsage, []string{"unexpected", "left"}, "score", "left", "over")
}

func TestRun(t *testing.T) {
	dir := t.TempDir()
	smaller, report, samples := filepath.Join(dir, "smaller"), filepath.Join(dir, "report"), filepath.Join(dir, "samples.jsonl")
	out := done(t, with("run", quickText, quickTasks, []string{"--out", smaller, "--report", report, "--samples", samples, "--generate=5"})...)
	verdict := strings.Index(out, "can do without layers 12–15")
	if verdict < 0 || verdict > strings.Index(out, "Tasks\n") {
		t.Errorf("no verdict on top: %.600s", out)
	}
	for _, want := range []string{"AVSS paper, block", "NAVSS", "layer 15 goes", "Spearman correlation with depth", "split-half", "Continuing \"", "The pruned model is in " + smaller} {
		if !strings.Contains(out, want) {
			t.Errorf("output lacks %q", want)
		}
	}
	for _, line := range strings.Split(out, "\n") {
		if n := len([]rune(line)); n > 80 && !strings.Contains(line, dir) {
			t.Errorf("line of %d columns: %s", n, line)
		}
	}
	for _, name := range []string{"report.json", "report.md", "report.csv", "report.html", "retention.png", "scores-avss.png", "variance.png", "sparsity.png"} {
		if info, err := os.Stat(filepath.Join(report, name)); err != nil || info.Size() == 0 {
			t.Errorf("%s: %v", name, err)
		}
	}
	data, err := os.ReadFile(samples)
	if err != nil {
		t.Fatal(err)
	}
	variants := map[string]int{}
	for _, line := range strings.Split(strings.TrimSpace(string(data)), "\n") {
		var item struct{ Task, Variant string }
		if err := json.Unmarshal([]byte(line), &item); err != nil {
			t.Fatal(err)
		}
		variants[item.Task+" "+item.Variant]++
	}
	if want := map[string]int{"small_world_qa dense": 6, "small_world_qa pruned": 6, "small_world_sentiment dense": 6, "small_world_sentiment pruned": 6,
		"small_world_stories dense": 6, "small_world_stories pruned": 6}; !cmp.Equal(want, variants) {
		t.Errorf("samples: %s", cmp.Diff(want, variants))
	}
	for _, path := range tree(t, dir) {
		if strings.Contains(path, "incomplete") || strings.HasPrefix(filepath.Base(path), ".") {
			t.Errorf("%s was left behind", path)
		}
	}
	// The written model, judged as any other, comes to what the report says.
	again := object(t, done(t, "eval", "--model", smaller, "--limit=6", "--json"))
	saved := object(t, readFile(t, filepath.Join(report, "report.json")))
	for name, task := range saved["tasks"].(map[string]any) {
		want := task.(map[string]any)["pruned"]
		got := again["tasks"].(map[string]any)[name].(map[string]any)["dense"]
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: run says, the written model does: %s", name, diff)
		}
	}
	formats(t, report)
	refused(t, exitUsage, []string{smaller, "exists already", "--force"}, with("run", quickText, quickTasks, []string{"--out", smaller})...)
}

// formats renders a saved report in every form.
func formats(t *testing.T, dir string) {
	for format, want := range map[string]string{"text": "What became of the model", "html": "<!doctype html>", "md": "## Tasks", "csv": "# Tasks", "json": `"schema": 1`} {
		if out := done(t, "report", "--format", format, dir); !strings.Contains(out, want) {
			t.Errorf("report --format %s lacks %q: %.200q", format, want, out)
		}
	}
	page := filepath.Join(dir, "report.html")
	before := readFile(t, page)
	if err := os.Remove(page); err != nil {
		t.Fatal(err)
	}
	done(t, "report", "--format", "all", dir)
	if readFile(t, page) != before {
		t.Error("the page made from report.json differs from the first one")
	}
	refused(t, exitUsage, []string{"--format pdf", "html"}, "report", "--format", "pdf", dir)
	refused(t, exitUsage, []string{"one folder"}, "report")
	refused(t, exitFailed, []string{"no report.json", "--report"}, "report", t.TempDir())
}

func readFile(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// score --out, prune --scores and eval say of the written model what eval --drop --alone says of the whole one.
func TestScorePruneEval(t *testing.T) {
	dir := t.TempDir()
	scores, smaller := filepath.Join(dir, "scores.json"), filepath.Join(dir, "smaller")
	o := object(t, done(t, with("score", quickText, []string{"--out", scores, "--json"})...))
	for _, key := range []string{"avss", "avss-paper-block", "bi", "angular", "relmag", "l2"} {
		if o["scores"].(map[string]any)[key] == nil {
			t.Errorf("score: no %s", key)
		}
	}
	o = object(t, done(t, "prune", "--scores", scores, "--metric", "l2", "--drop", "3", "--out", smaller, "--json"))
	var dropped []string
	for _, layer := range o["plan"].(map[string]any)["dropped"].([]any) {
		dropped = append(dropped, string(must(json.Marshal(layer))))
	}
	if len(dropped) != 3 || o["output"] != smaller {
		t.Fatalf("plan %v, output %v", o["plan"], o["output"])
	}
	alone := object(t, done(t, "eval", "--drop", strings.Join(dropped, ","), "--alone", "--limit=6", "--json"))
	written := object(t, done(t, "eval", "--model", smaller, "--limit=6", "--json"))
	if diff := cmp.Diff(alone["results"], written["results"]); diff != "" {
		t.Errorf("alone and written: %s", diff)
	}
	if list, ok := alone["generation"].([]any); !ok || len(list) > 0 {
		t.Errorf("generation is %v, want an empty list", alone["generation"])
	}
	if n := alone["n-samples"].(map[string]any)["small_world_qa"].(map[string]any)["effective"]; n != 6.0 {
		t.Errorf("%v items", n)
	}
	qa := alone["results"].(map[string]any)["small_world_qa"].(map[string]any)
	if _, ok := qa["acc,none"].(float64); !ok {
		t.Errorf("no acc,none in %v", qa)
	}
	// The scores are of the demo, not of what was made of it; a file with other weights of the same shape has another hash.
	refused(t, exitFailed, []string{"13 layers", "this one has 16", "score this model"}, "prune", "--scores", scoresOf(t, smaller, dir), "--out", filepath.Join(dir, "no"))
	changed := readFile(t, scores)
	sha := o["model"].(map[string]any)["sha256"].(string)
	other := filepath.Join(dir, "other.json")
	if err := os.WriteFile(other, []byte(strings.ReplaceAll(changed, sha, strings.Repeat("0", len(sha)))), 0o600); err != nil {
		t.Fatal(err)
	}
	refused(t, exitFailed, []string{"another model", "score this model"}, "prune", "--scores", other, "--out", filepath.Join(dir, "no"))
	refused(t, exitFailed, []string{"kl", "avss"}, "prune", "--scores", scores, "--metric", "kl", "--out", filepath.Join(dir, "no"))
	done(t, "prune", "--drop", "3,4", "--format", "mergekit", "--out", filepath.Join(dir, "recipe.yml"))
	if !strings.Contains(readFile(t, filepath.Join(dir, "recipe.yml")), "layer_range") {
		t.Error("no mergekit recipe")
	}
}

func scoresOf(t *testing.T, model, dir string) string {
	path := filepath.Join(dir, "smaller.json")
	done(t, with("score", quickText, []string{"--model", model, "--out", path})...)
	return path
}

func must(data []byte, err error) []byte {
	if err != nil {
		panic(err)
	}
	return data
}

func TestEvalBeside(t *testing.T) {
	o := object(t, done(t, "eval", "--drop", "12,13", "--tasks", "small_world_sentiment,small_world_qa", "--limit=6", "--json"))
	var names []string
	for name, task := range o["tasks"].(map[string]any) {
		names = append(names, name)
		for _, key := range []string{"dense", "pruned", "retention", "retention_chance_corrected", "p_value", "version", "n", "metric"} {
			if _, has := task.(map[string]any)[key]; !has {
				t.Errorf("%s: no %s", name, key)
			}
		}
	}
	slices.Sort(names)
	if !slices.Equal(names, []string{"small_world_qa", "small_world_sentiment"}) {
		t.Errorf("tasks %v", names)
	}
	if o["retention"].(map[string]any)["mean_of_ratios"] == nil || o["divergence"].(map[string]any)["kl"] == nil {
		t.Errorf("retention %v, divergence %v", o["retention"], o["divergence"])
	}
}

func TestBench(t *testing.T) {
	dir := t.TempDir()
	o := object(t, done(t, with("bench", quickText, quickTasks, []string{"--metrics", "avss,bi", "--shares", "25,50", "--random=1", "--one-by-one", "--report", dir, "--json"})...))
	sweep := o["sweep"].(map[string]any)
	if n := len(sweep["points"].([]any)); n != 10 {
		t.Errorf("%d points, want (avss, bi, first, last, random) × 2", n)
	}
	if sweep["passes"] != 1.0 || sweep["blocks"].(float64) >= sweep["blocks_alone"].(float64) {
		t.Errorf("passes %v, blocks %v of %v", sweep["passes"], sweep["blocks"], sweep["blocks_alone"])
	}
	out := done(t, "report", dir)
	for _, want := range []string{"What each metric's choice keeps", "What each metric would drop", "random-0", "Kendall"} {
		if !strings.Contains(out, want) {
			t.Errorf("bench lacks %q", want)
		}
	}
	for _, name := range []string{"sweep-retention.png", "sweep-perplexity.png", "sweep-divergence.png"} {
		if _, err := os.Stat(filepath.Join(dir, name)); err != nil {
			t.Error(err)
		}
	}
	refused(t, exitUsage, []string{"--shares", "100"}, "bench", "--shares", "25,100")
	refused(t, exitUsage, []string{"nonsense"}, "bench", "--metrics", "nonsense")
}

func TestDevices(t *testing.T) {
	if out := done(t, "devices"); !strings.Contains(out, "reference") || !strings.Contains(out, "cpu") {
		t.Errorf("devices: %s", out)
	}
	if list := object(t, done(t, "devices", "--json"))["devices"].([]any); len(list) < 2 {
		t.Errorf("devices: %v", list)
	}
}

func TestTokenize(t *testing.T) {
	texts := "\"Once upon a time\"\n\"\"\n\"two\\nlines\"\n"
	ids := callWith(t.Context(), texts, "tokenize")
	if ids.code != exitDone || strings.Count(ids.stdout, "\n") != 3 || !strings.Contains(ids.stdout, "\n[]\n") {
		t.Fatalf("tokenize: %+v", ids)
	}
	back := callWith(t.Context(), ids.stdout, "tokenize", "--decode")
	if back.code != exitDone || back.stdout != texts {
		t.Errorf("there and back: %q, want %q: %s", back.stdout, texts, back.stderr)
	}
	file := callWith(t.Context(), texts, "tokenize", "--model", filepath.Join(demoFolder(t), "tokenizer.json"))
	if file.stdout != ids.stdout {
		t.Errorf("by the file: %+v", file)
	}
	special := callWith(t.Context(), "\"x\"\n", "tokenize", "--special")
	if plain := callWith(t.Context(), "\"x\"\n", "tokenize"); len(special.stdout) <= len(plain.stdout) {
		t.Errorf("--special adds nothing: %q", special.stdout)
	}
	for _, bad := range []string{"not json\n", "[1,2]\n", "\"cut"} {
		if c := callWith(t.Context(), bad, "tokenize"); c.code != exitFailed || !strings.Contains(c.stderr, "line 1") || strings.Count(c.stderr, "\n") != 1 {
			t.Errorf("%q: %+v", bad, c)
		}
	}
	if c := callWith(t.Context(), "[99999999]\n", "tokenize", "--decode"); c.code != exitFailed || !strings.Contains(c.stderr, "99999999") {
		t.Errorf("id out of range: %+v", c)
	}
}

func TestTrace(t *testing.T) {
	path := filepath.Join(t.TempDir(), "trace.safetensors")
	done(t, "trace", "--ids", "5,6,7", "--out", path)
	f, err := safetensors.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var names []string
	for _, tensor := range f.Tensors() {
		names = append(names, tensor.Name)
	}
	if len(names) != 18 || !slices.Contains(names, "embed") || !slices.Contains(names, "block.15") || !slices.Contains(names, "logits") {
		t.Errorf("tensors %v", names)
	}
	refused(t, exitUsage, []string{"--ids"}, "trace", "--out", path)
	refused(t, exitUsage, []string{"--out"}, "trace", "--ids", "5")
	refused(t, exitUsage, []string{"--ids", "x"}, "trace", "--ids", "5,x", "--out", path)
	refused(t, exitUsage, []string{"99999"}, "trace", "--ids", "5,99999", "--force", "--out", path)
	refused(t, exitUsage, []string{"16"}, "trace", "--ids", "5", "--without", "16", "--force", "--out", path)
}

// A flag's variable stands for it, and the flag wins.
func TestEnvironment(t *testing.T) {
	t.Setenv("AVSSNATIVE_LIMIT", "4")
	t.Setenv("AVSSNATIVE_TASKS", "small_world_qa")
	o := object(t, done(t, "eval", "--json"))
	if task := o["tasks"].(map[string]any)["small_world_qa"].(map[string]any); task["n"] != 4.0 {
		t.Errorf("AVSSNATIVE_LIMIT=4: %v items", task["n"])
	}
	o = object(t, done(t, "eval", "--limit=3", "--json"))
	if task := o["tasks"].(map[string]any)["small_world_qa"].(map[string]any); task["n"] != 3.0 {
		t.Errorf("--limit=3: %v items", task["n"])
	}
	t.Setenv("AVSSNATIVE_DEVICE", "nope")
	refused(t, exitFailed, []string{"nope", "cpu"}, "eval")
}

// Where there is no terminal, a pass that takes long says so in plain lines.
func TestProgressLines(t *testing.T) {
	var out output
	p := newProgress(&out)
	p.phase("scoring")
	p.step("scoring", engine.Step{Layer: 0, Layers: 16, Done: 1, Total: 16, Rows: 100})
	if out.Len() > 0 {
		t.Errorf("said at once: %q", out.String())
	}
	p.began, p.said = time.Now().Add(-time.Minute), time.Now().Add(-time.Minute)
	p.step("scoring", engine.Step{Layer: 3, Layers: 16, Done: 4, Total: 16, Rows: 6000})
	if s := out.String(); !strings.Contains(s, "scoring: layer 4 of 16, 25 %") || !strings.Contains(s, "left\n") || strings.Contains(s, "\r") {
		t.Errorf("line: %q", s)
	}
	p.step("scoring", engine.Step{Layer: 4, Layers: 16, Done: 5, Total: 16, Rows: 7000})
	if strings.Count(out.String(), "\n") != 1 {
		t.Errorf("two lines at once: %q", out.String())
	}
}

// What report.json promises is there under its name.
func TestReportHasEverything(t *testing.T) {
	dir := t.TempDir()
	done(t, with("run", quickText, quickTasks, []string{"--report", dir, "--generate=0", "--json"})...)
	o := object(t, readFile(t, filepath.Join(dir, report.FileName)))
	for path, fields := range map[string][]string{
		"":                                 {"schema", "tool", "created", "command", "model", "device", "calibration", "scores", "layers", "plan", "tasks", "retention", "divergence", "size", "speed", "generation", "references"},
		"tool":                             {"name", "version"},
		"model":                            {"ref", "architecture", "layers", "hidden", "parameters", "bytes", "sha256"},
		"device":                           {"name", "isa", "threads", "compute"},
		"calibration":                      {"source", "sha256", "sequences", "tokens"},
		"scores.avss":                      {"site", "mode", "values", "low", "high", "tau", "ref"},
		"layers.0":                         {"index", "sites", "bi", "relmag", "l2"},
		"layers.0.sites.block":             {"n", "mean", "variance", "sparsity", "min", "max", "rms", "kurtosis", "nan", "inf"},
		"plan":                             {"metric", "rule", "dropped", "kept", "warnings"},
		"tasks.small_world_qa":             {"version", "n", "metric", "dense", "pruned", "retention", "retention_chance_corrected", "p_value"},
		"tasks.small_world_stories.pruned": {"value", "stderr"},
		"retention":                        {"mean_of_ratios", "ratio_of_means"},
		"divergence":                       {"kl", "same_top"},
		"size":                             {"parameters_dense", "parameters_pruned", "bytes_dense", "bytes_pruned"},
		"speed":                            {"tokens_per_s_dense", "tokens_per_s_pruned", "generated_per_s_dense", "generated_per_s_pruned", "cache_bytes_dense", "cache_bytes_pruned", "seconds", "peak_rss_bytes"},
		"speed.seconds":                    {"scoring", "judging"},
	} {
		var at any = o
		for _, step := range strings.FieldsFunc(path, func(r rune) bool { return r == '.' }) {
			if list, ok := at.([]any); ok {
				at = list[0]
			} else {
				at = at.(map[string]any)[step]
			}
		}
		for _, field := range fields {
			if _, has := at.(map[string]any)[field]; !has {
				t.Errorf("report.json: no %s in %q", field, path)
			}
		}
	}
}
