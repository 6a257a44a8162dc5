package command

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
)

// written makes a file of some content, with its folder.
func written(t *testing.T, content string, path ...string) string {
	t.Helper()
	whole := filepath.Join(path...)
	if err := os.MkdirAll(filepath.Dir(whole), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(whole, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return whole
}

// Wrong use is found before the work: the model that is named here has no weights that could be read, so that whoever began would fail otherwise.
func TestPlacesAreLookedAtFirst(t *testing.T) {
	dir := t.TempDir()
	hollow := damaged(t, reweigh(t, func(f *tensors) {
		for name := range f.data {
			for i := range f.data[name] {
				f.data[name][i] = 0xff // NaN, which the first pass finds
			}
		}
	}))
	file, folder := written(t, "mine", dir, "file"), filepath.Dir(written(t, "mine", dir, "folder", "thesis.txt"))
	quick := []string{"--calib", "demo", "--calib-tokens=100", "--model", hollow}
	free := filepath.Join(dir, "free")
	before := tree(t, dir)
	for _, c := range []struct {
		words     []string
		arguments []string
	}{
		{[]string{"--report", "exists already"}, []string{"score", "--report", file}},
		{[]string{"--report", "exists already"}, []string{"score", "--report", folder}},
		{[]string{"--report", "no report.json"}, []string{"bench", "--report", folder, "--force"}},
		{[]string{"--report", "no folder"}, []string{"run", "--report", filepath.Join(file, "x")}},
		{[]string{"--report", "there is no folder"}, []string{"run", "--report", filepath.Join(free, "x")}},
		{[]string{"--report", "working folder"}, []string{"run", "--report", ".", "--force"}},
		{[]string{"--report", "root"}, []string{"run", "--report", "/", "--force"}},
		{[]string{"--report", "being read"}, []string{"run", "--report", hollow, "--force"}},
		{[]string{"--out", "exists already"}, []string{"score", "--out", file}},
		{[]string{"--out", "no file of scores"}, []string{"score", "--out", file, "--force"}},
		{[]string{"--out", "no file of scores"}, []string{"score", "--out", filepath.Join(hollow, "tokenizer.json"), "--force"}},
		{[]string{"--out", "want a file"}, []string{"score", "--out", folder, "--force"}},
		{[]string{"--out", "folder"}, []string{"score", "--out", free + "/"}},
		{[]string{"--samples", "exists already"}, []string{"run", "--samples", file}},
		{[]string{"--samples", "no items of tasks"}, []string{"eval", "--samples", file, "--force"}},
		{[]string{"--samples", "no items of tasks"}, []string{"eval", "--samples", filepath.Join(hollow, "model.safetensors"), "--force"}},
		{[]string{"--out", "exists already"}, []string{"trace", "--ids", "5", "--out", file}},
		{[]string{"--out", "no trace"}, []string{"trace", "--ids", "5", "--out", filepath.Join(hollow, "model.safetensors"), "--force"}},
		{[]string{"--out", "exists already"}, []string{"run", "--out", folder}},
		{[]string{"--out", "the folder holds thesis.txt"}, []string{"run", "--out", folder, "--force"}},
		{[]string{"--out", "being read"}, []string{"run", "--out", hollow, "--force"}},
		{[]string{"--out", "being read"}, []string{"run", "--out", filepath.Dir(hollow), "--force"}},
		{[]string{"--format gguf", "hf or mergekit"}, []string{"run", "--format", "gguf", "--out", free}},
		{[]string{"--out", "--report", "two places"}, []string{"run", "--out", free, "--report", free}},
		{[]string{"--out", "--report", "two places"}, []string{"run", "--out", free, "--report", filepath.Join(free, "report")}},
		{[]string{"--report", "--samples", "two places"}, []string{"run", "--report", free, "--samples", filepath.Join(dir, "folder", "..", "free", "s.jsonl")}},
		{[]string{"--drop 3", "3 of 3"}, []string{"run", "--drop", "3", "--out", free}},
		{[]string{"--drop 2", "protecting the first 2 leaves only 1"}, []string{"run", "--drop", "2", "--protect-first", "2"}},
		{[]string{"--shares", "at least one must stay"}, []string{"bench", "--shares", "25,99"}},
		{[]string{"--shares", "leaves only 1"}, []string{"bench", "--shares", "67", "--protect-last", "2"}},
		{[]string{"--greedy-layers 3"}, []string{"score", "--metrics", "greedy", "--greedy-layers", "3"}},
		{[]string{"--random"}, []string{"bench", "--random", "-1"}},
		{[]string{"--memory"}, []string{"score", "--memory", "NaN"}},
		{[]string{"--memory"}, []string{"score", "--memory", "infGiB"}},
		{[]string{"--memory"}, []string{"score", "--memory", "0.5"}},
		{[]string{"--seed"}, []string{"run", "--seed", "-1"}},
	} {
		flags := quick
		if c.arguments[0] == "eval" || c.arguments[0] == "trace" {
			flags = quick[3:]
		}
		refused(t, exitUsage, c.words, slices.Concat(c.arguments[:1], flags, c.arguments[1:])...)
	}
	if after := tree(t, dir); !slices.Equal(before, after) {
		t.Errorf("before %v, after %v", before, after)
	}
	if readFile(t, file) != "mine" || readFile(t, filepath.Join(folder, "thesis.txt")) != "mine" {
		t.Error("something was replaced")
	}
}

// What a flag wrote before is replaced with --force, and without it stays; an empty folder needs no force.
func TestForceReplacesFormerOutputs(t *testing.T) {
	model, dir := damaged(t, func(map[string][]byte) {}), t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	if err := os.Mkdir(at("report"), 0o755); err != nil {
		t.Fatal(err)
	}
	text := []string{"--model", model, "--calib", "demo", "--calib-tokens=100"}
	for _, arguments := range [][]string{
		slices.Concat([]string{"score"}, text, []string{"--out", at("scores.json")}),
		slices.Concat([]string{"score"}, text, []string{"--report", at("report")}),
		{"eval", "--model", model, "--limit=2", "--samples", at("samples.jsonl")},
		{"trace", "--model", model, "--ids", "5,6", "--out", at("trace.safetensors")},
		{"prune", "--model", model, "--drop", "1,", "--out", at("pruned")},
		{"prune", "--model", model, "--drop", "1,", "--format", "mergekit", "--out", at("recipe.yml")},
	} {
		done(t, arguments...)
		refused(t, exitUsage, []string{"exists already", "--force"}, arguments...)
		done(t, append(arguments, "--force")...)
	}
	for _, path := range tree(t, dir) {
		if strings.HasPrefix(filepath.Base(path), ".") {
			t.Errorf("%s was left behind", path)
		}
	}
}

// A flag that does nothing is wrong where it is typed, and nothing where the environment says it.
func TestFlagsWithoutEffect(t *testing.T) {
	model := damaged(t, func(map[string][]byte) {})
	out := filepath.Join(t.TempDir(), "out")
	text := written(t, "Once upon a time there was a fox. The fox was red.", t.TempDir(), "a.txt")
	for _, c := range []struct {
		flag      string
		arguments []string
	}{
		{"site", []string{"run", "--metric", "bi", "--site", "attn"}},
		{"site", []string{"run", "--metric=bi", "-site=attn"}},
		{"avss-mode", []string{"run", "--metric", "last", "--avss-mode", "paper"}},
		{"metric", []string{"run", "--drop", "1,", "--metric", "bi"}},
		{"format", []string{"run", "--format", "hf"}},
		{"force", []string{"run", "--force"}},
		{"force", []string{"bench", "--force"}},
		{"calib-field", []string{"score", "--calib", text, "--calib-field", "body"}},
		{"calib-field", []string{"score", "--calib-field", "body"}},
		{"greedy-layers", []string{"score", "--greedy-layers", "1"}},
		{"site", []string{"bench", "--metrics", "bi,l2", "--site", "mlp"}},
		{"alone", []string{"eval", "--alone"}},
		{"scores", []string{"prune", "--drop", "1,", "--scores", "x.json", "--out", out}},
		{"metric", []string{"prune", "--drop", "1,", "--metric", "bi", "--out", out}},
		{"seed", []string{"prune", "--drop", "1", "--metric", "last", "--seed", "3", "--out", out}},
	} {
		refused(t, exitUsage, []string{"--" + c.flag + " has no effect"}, slices.Concat(c.arguments[:1], []string{"--model", model}, c.arguments[1:])...)
	}
	// A value that looks like a flag is none.
	refused(t, exitFailed, []string{"--site"}, "score", "--model", model, "--calib", "--site")
	for name, value := range map[string]string{"SITE": "attn", "AVSS_MODE": "paper", "SEED": "3", "CALIB_FIELD": "body", "SCORES": "x.json", "GREEDY_LAYERS": "1"} {
		t.Setenv("AVSSNATIVE_"+name, value)
	}
	done(t, "prune", "--model", model, "--drop", "1,", "--out", out)
	t.Setenv("AVSSNATIVE_SCORES", "")
	done(t, "prune", "--model", model, "--drop", "1", "--metric", "last", "--out", out+"2")
	t.Setenv("AVSSNATIVE_DROP_MASS", "5%")
	done(t, "prune", "--model", model, "--drop", "1,", "--out", out+"3")
}

// Choices that look at nothing need no scores.
func TestPruneByBaseline(t *testing.T) {
	model, dir := damaged(t, func(map[string][]byte) {}), t.TempDir()
	for metric, want := range map[string]float64{"last": 2, "first": 0} {
		o := object(t, done(t, "prune", "--model", model, "--drop", "1", "--metric", metric, "--out", filepath.Join(dir, metric), "--json"))
		if dropped := o["plan"].(map[string]any)["dropped"].([]any); len(dropped) != 1 || dropped[0] != want {
			t.Errorf("%s: %v", metric, dropped)
		}
	}
	done(t, "prune", "--model", model, "--drop", "1", "--metric", "random", "--seed", "5", "--out", filepath.Join(dir, "random"))
	refused(t, exitFailed, []string{"--drop-mass 5%", "have no mass"}, "prune", "--model", model, "--drop-mass", "5%", "--metric", "last", "--out", filepath.Join(dir, "no"))
	refused(t, exitUsage, []string{"needs scores"}, "prune", "--model", model, "--drop", "1", "--metric", "bi", "--out", filepath.Join(dir, "no"))
}

// Warnings stand in every output alike.
func TestWarningsEverywhere(t *testing.T) {
	model, dir := damaged(t, func(map[string][]byte) {}), t.TempDir()
	text := written(t, "Once upon a time there was a fox.", dir, "one.txt")
	report, out := filepath.Join(dir, "report"), filepath.Join(dir, "out")
	stdout := done(t, "run", "--model", model, "--calib", text, "--drop", "1,", "--tasks", "small_world_qa,small_world_stories", "--limit=2", "--generate=0",
		"--report", report, "--out", out)
	for where, text := range map[string]string{"stdout": stdout, "report.md": readFile(t, filepath.Join(report, "report.md")),
		"report.html": readFile(t, filepath.Join(report, "report.html")), "report.csv": readFile(t, filepath.Join(report, "report.csv")),
		"report.json": readFile(t, filepath.Join(report, "report.json")), "the card": readFile(t, filepath.Join(out, "README.md")),
		"report DIR": done(t, "report", report), "json": done(t, "report", "--format", "json", report)} {
		text = strings.Join(strings.Fields(text), " ") // a terminal's lines end anywhere
		for _, want := range []string{"16384 asked for", "not to be relied on", "layer 1 goes"} {
			if !strings.Contains(text, want) {
				t.Errorf("%s: no %q", where, want)
			}
		}
		if strings.Contains(text, "NaN") {
			t.Errorf("%s: NaN", where)
		}
	}
	o := object(t, done(t, "score", "--model", model, "--calib", text, "--json"))
	if first, _ := o["warnings"].([]any)[0].(string); !strings.Contains(first, "token") {
		t.Errorf("warnings %v", o["warnings"])
	}
}

// short takes some bytes and then fails.
type short struct {
	left int
	err  error
}

func (s *short) Write(data []byte) (int, error) {
	n := min(s.left, len(data))
	s.left -= n
	if n < len(data) {
		return n, s.err
	}
	return n, nil
}

// Whatever is printed, what does not get there makes the run one that failed.
func TestShortStdout(t *testing.T) {
	model := damaged(t, func(map[string][]byte) {})
	out := t.TempDir()
	for i, arguments := range [][]string{
		{"devices"}, {"devices", "--json"}, {"--help"}, {"--version"}, {"score", "--help"},
		{"score", "--model", model, "--calib", "demo", "--calib-tokens=100"}, {"score", "--model", model, "--calib", "demo", "--calib-tokens=100", "--json"},
		{"eval", "--model", model, "--limit=1", "--json"}, {"trace", "--model", model, "--ids", "5", "--out", filepath.Join(out, "t.safetensors")},
		{"prune", "--model", model, "--drop", "1,", "--out", filepath.Join(out, "pruned")}, {"tokenize"},
	} {
		for _, failed := range []error{errors.New("no space left"), nil} {
			var complaints output
			arguments := arguments
			if i >= 8 && i <= 9 && failed == nil {
				arguments = append(slices.Clone(arguments), "--force")
			}
			code := run(t.Context(), append([]string{"avssnative"}, arguments...), strings.NewReader("\"x\"\n"), &short{3, failed}, &complaints)
			if code != exitFailed || strings.Count(complaints.String(), "\n") != 1 || !strings.Contains(complaints.String(), "stdout: ") && arguments[0] != "tokenize" {
				t.Errorf("%v: exit code %d: %q", arguments, code, complaints.String())
			}
		}
	}
	// The pruned model is there all the same.
	if _, err := os.Stat(filepath.Join(out, "pruned", "config.json")); err != nil {
		t.Error(err)
	}
}

// Names from files act on no terminal, neither in a complaint nor in what is printed.
func TestNothingActsOnTheTerminal(t *testing.T) {
	const bad = "\x1b[31mred\x07\u009b1m\u202e"
	named := damaged(t, reweigh(t, func(f *tensors) {
		f.names = append(f.names, bad)
		f.header[bad], f.data[bad] = &tensorEntry{DType: "F32", Shape: []int{1}}, make([]byte, 4)
	}))
	shapes := damaged(t, setting(t, "model_type", bad+"\n"))
	text := written(t, "{\"text\": 1}\n", t.TempDir(), "a.jsonl")
	for _, arguments := range [][]string{
		{"score", "--model", named}, {"score", "--model", shapes}, {"score", "--model", bad}, {"score", "--calib", text, "--calib-field", bad},
		{"score", "--" + bad}, {bad}, {"run", "--tasks", bad}, {"run", "--metric", bad}, {"run", "--drop", bad}, {"report", bad}, {"run", "--out", bad + "/x/y"},
	} {
		c := call(t, arguments...)
		if c.code == exitDone || strings.Count(c.stderr, "\n") != 1 {
			t.Errorf("%q: %+v", arguments, c)
		}
		for _, r := range c.stdout + strings.TrimSuffix(c.stderr, "\n") {
			if r == 0x1b || r == 7 || r == 0x9b || r == 0x202e {
				t.Errorf("%q: %q", arguments, c.stdout+c.stderr)
				break
			}
		}
	}
	ids := callWith(t.Context(), "\"\\u001b[31m\\u009b1m\\u202e\\u007f\"\n", "tokenize")
	back := callWith(t.Context(), ids.stdout, "tokenize", "--decode")
	if back.code != exitDone || back.stdout != "\"\\u001b[31m\\u009b1m\\u202e\\u007f\"\n" {
		t.Errorf("%q", back.stdout)
	}
}

// What a model says keeps its lines and tabs, and nothing else that moves a cursor.
func TestShownText(t *testing.T) {
	if got := shownText("a\n\tb\x1b[31m\r\n\\t"); got != "a\n\tb\\x1b[31m\\r\n\\t" {
		t.Errorf("%q", got)
	}
}

// Several things that fail at once are told in one line.
func TestComplaint(t *testing.T) {
	if got := complaint(errors.Join(errors.New("a\nb"), nil, errors.Join(errors.New("c"), errors.New("c")))); got != `a\nb; c` {
		t.Errorf("%q", got)
	}
	if got := complaint(&os.PathError{Op: "write", Path: "/dev/stdout", Err: syscall.EPIPE}); got != "" {
		t.Errorf("a broken pipe: %q", got)
	}
	var r io.Writer = &remembering{Writer: &short{}}
	if _, err := r.Write([]byte("x")); !errors.Is(err, io.ErrShortWrite) {
		t.Errorf("%v", err)
	}
}
