package command

import (
	"path/filepath"
	"strings"
	"testing"
)

func configFile(t *testing.T, content string) string {
	t.Helper()
	return written(t, content, t.TempDir(), "flags.yaml")
}

// scored calls score and says on how many tokens.
func scored(t *testing.T, arguments ...string) (tokens float64) {
	t.Helper()
	o := object(t, done(t, append([]string{"score", "--json"}, arguments...)...))
	return o["calibration"].(map[string]any)["tokens"].(float64)
}

// A flag wins over its variable, that over the file, and in the file a command's section over what stands for all.
func TestConfigOrder(t *testing.T) {
	both := configFile(t, "calib-tokens: 700\nseq-len: 64\ntasks: small_world_qa # of other commands\n"+
		"score:\n  calib-tokens: 600\nbench:\n  calib-tokens: 9\n")
	for _, c := range []struct {
		variable string
		flags    []string
		want     float64
	}{
		{"", []string{"--config", both}, 600},
		{"500", []string{"--config", both}, 500},
		{"500", []string{"--config", both, "--calib-tokens=400"}, 400},
		{"", []string{"--config", both, "--calib-tokens=400"}, 400},
		{"", []string{"--config", configFile(t, "calib-tokens: 700\nseq-len: 64\n")}, 700},
	} {
		t.Run(c.variable, func(t *testing.T) {
			if c.variable != "" {
				t.Setenv("AVSSNATIVE_CALIB_TOKENS", c.variable)
			}
			if got := scored(t, c.flags...); got != c.want {
				t.Errorf("flags %v: %v tokens, want %v", c.flags, got, c.want)
			}
		})
	}
	t.Setenv("AVSSNATIVE_CONFIG", both)
	if got := scored(t); got != 600 {
		t.Errorf("named by the variable: %v tokens", got)
	}
}

// Lists, toggles and aliases come through; what was read stands in the report as if it had been typed.
func TestConfigValues(t *testing.T) {
	dir := t.TempDir()
	one, two := written(t, strings.Repeat("One day a dog ran. ", 40), dir, "one.txt"), written(t, strings.Repeat("The cat sat. ", 40), dir, "two.txt")
	path := configFile(t, "calib: ["+one+", "+two+"]\ncalib-tokens: &n 200\nseq-len: 50\nrun:\n  drop: [8]\n  limit: 3\n  no-timing: true\n"+
		"  json: true\n  tasks: [small_world_qa, small_world_sentiment]\n  generate: 0\n  alternatives: none\nlog-level: error\neval: {calib-tokens: *n}\n")
	o := object(t, done(t, "run", "--config", path))
	if dropped := o["plan"].(map[string]any)["dropped"].([]any); len(dropped) != 1 || dropped[0] != 8.0 {
		t.Errorf("dropped %v, want layer 8", dropped)
	}
	if tasks := o["tasks"].(map[string]any); len(tasks) != 2 {
		t.Errorf("tasks %v", tasks)
	}
	if source := o["calibration"].(map[string]any)["source"].(string); !strings.Contains(source, "one.txt") || !strings.Contains(source, "two.txt") {
		t.Errorf("calibration %s", source)
	}
	command := strings.Join(stringsOf(o["command"]), " ")
	for _, want := range []string{"--drop=8,", "--limit=3", "--no-timing=true"} {
		if !strings.Contains(command, want) {
			t.Errorf("command %s lacks %s", command, want)
		}
	}
	done(t, "devices", "--config", configFile(t, ""))
	done(t, "devices", "--config", configFile(t, "# nothing\n"))
	done(t, "--log-level=warn", "devices")
}

func stringsOf(list any) []string {
	var all []string
	for _, one := range list.([]any) {
		all = append(all, one.(string))
	}
	return all
}

func TestConfigThatIsWrong(t *testing.T) {
	for content, want := range map[string][]string{
		"modle: demo":                     {"line 1", "no flag modle", "perhaps model"},
		"model: demo\nrun:\n  metirc: bi": {"line 3", "no flag metirc of run", "perhaps metric"},
		"score:\n  tasks: x":              {"line 2", "no flag tasks of score"},
		"xyzzyplugh: 1":                   {"no flag xyzzyplugh"},
		"config: other.yaml":              {"no flag config"},
		"limit: many":                     {"line 1", "limit", `"many"`},
		"no-timing: yes please":           {"no-timing", "want true or false"},
		"no-timing: [true]":               {"no-timing", "want one value"},
		"model: {a: b}":                   {"model", "want one value"},
		"model:":                          {"model", "has no value"},
		"model: a\nmodel: b":              {"model", "twice"},
		"run: {}\nrun: {}":                {"run", "twice"},
		"run: {limit: 1, limit: 2}":       {"limit", "twice"},
		"- a":                             {"want flags by name"},
		"? [a]\n: b":                      {"line 1", "want the name of a flag"},
		"a: b: c":                         {"yaml"},
		"model: a\n---\nmodel: b":         {"more than one document"},
		"calib: [[a]]":                    {"calib", "want a list of values"},
		"metric: anglar":                  {"anglar", "did you mean angular"},
		"log-level: loud":                 {"log-level", "debug"},
		"limit: -1":                       {"--limit -1"},
	} {
		refused(t, exitUsage, want, "run", "--config", configFile(t, content))
	}
	refused(t, exitUsage, []string{"none.yaml", "no such file"}, "run", "--config", filepath.Join(t.TempDir(), "none.yaml"))
	refused(t, exitUsage, []string{"want at most"}, "run", "--config", configFile(t, strings.Repeat("#", mostFlags+1)))
}

// What a launched job and its merge are told by a file is theirs as if it had been typed.
func TestConfigOfShards(t *testing.T) {
	path := configFile(t, "calib-tokens: 600\nseq-len: 64\nslurm:\n  shards: 2\n  state: /shared/job\n")
	if out := done(t, "launch", "slurm", "--config", path, "--", "score", "--config", path); !strings.Contains(out, "--config") {
		t.Errorf("%s", out)
	}
	state := t.TempDir()
	for _, part := range []string{"0/2", "1/2"} {
		done(t, "score", "--config", path, "--shard", part, "--state", state)
	}
	merged := object(t, done(t, "merge", "--quiet", "--json", state))
	if tokens := merged["calibration"].(map[string]any)["tokens"]; tokens != 600.0 {
		t.Errorf("%v tokens", tokens)
	}
}
