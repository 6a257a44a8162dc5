package command

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"avssnative/avss"
	"avssnative/bench"
	"avssnative/engine/device"
	"avssnative/internal/job"
	"avssnative/prune"
)

// cachedModel puts a model into a cache of the test's own, as far as names need it.
func cachedModel(t *testing.T, name string) {
	t.Helper()
	cache := t.TempDir()
	t.Setenv("HF_HUB_CACHE", cache)
	commit := strings.Repeat("a", 40)
	folder := filepath.Join(cache, "models--"+strings.ReplaceAll(name, "/", "--"))
	for file, content := range map[string]string{"refs/main": commit, "snapshots/" + commit + "/config.json": "{}",
		"snapshots/" + commit + "/model.safetensors": ""} {
		path := filepath.Join(folder, filepath.FromSlash(file))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// completions are what a shell is told that the last word may become.
func completions(t *testing.T, shell string, words ...string) []string {
	t.Helper()
	return strings.Fields(done(t, append([]string{"completion", "words", shell}, words...)...))
}

func TestCompletion(t *testing.T) {
	cachedModel(t, "org/tiny")
	for _, c := range []struct {
		words   []string
		want    []string // all of these
		without []string
	}{
		{[]string{""}, []string{"run", "score", "completion", "show", "help"}, []string{"words", "--help"}},
		{[]string{"s"}, []string{"score", "show"}, []string{"run"}},
		{[]string{"-"}, []string{"--help", "--log-level"}, []string{"--model"}},
		{[]string{"--log-level", ""}, []string{"debug", "warn"}, []string{"run"}},
		{[]string{"--log-level", "debug", "sc"}, []string{"score"}, nil},
		{[]string{"run", "--me"}, []string{"--metric", "--memory"}, []string{"--model"}},
		{[]string{"run", "--metric", "bi", "--me"}, []string{"--memory"}, []string{"--metric"}},
		{[]string{"run", "--calib", "x", "--cal"}, []string{"--calib", "--calib-tokens"}, nil},
		{[]string{"run", "--metric", ""}, avss.Names(), nil},
		{[]string{"run", "--metric=b"}, []string{"--metric=bi"}, []string{"bi", "--metric=avss"}},
		{[]string{"score", "--model", "o"}, []string{"org/tiny"}, []string{"demo"}},
		{[]string{"eval", "--tasks", "small_world_qa,small_world_s"}, []string{"small_world_qa,small_world_sentiment"}, []string{"small_world_qa"}},
		{[]string{"bench", "--metrics", "bi,"}, []string{"bi,avss", "bi,ppl"}, []string{"bi,bi"}},
		{[]string{"run", "--device", ""}, []string{"auto", "cpu", "reference"}, []string{"null"}},
		{[]string{"plan", "--device", "h"}, []string{"h100-80g"}, []string{"auto"}},
		{[]string{"report", "--format", ""}, []string{"html", "all"}, []string{"gguf"}},
		{[]string{"prune", "--format", ""}, []string{"hf", "gguf", "mergekit"}, []string{"html"}},
		{[]string{"run", "--repair", "re"}, []string{"refit"}, []string{"full"}},
		{[]string{"show", ""}, []string{"demo", "org/tiny"}, nil},
		{[]string{"compare", "demo", "o"}, []string{"org/tiny"}, nil},
		{[]string{"completion", ""}, []string{"bash", "zsh", "fish"}, []string{"words"}},
		{[]string{"launch", "slurm", "--sh"}, []string{"--shards"}, nil},
		{[]string{"launch", "slurm", "--shards", "8", "--", "score", "--metric", "a"}, []string{"avss", "angular"}, nil},
	} {
		got := completions(t, "zsh", c.words...)
		for _, want := range c.want {
			if !slices.Contains(got, want) {
				t.Errorf("%q: %v lacks %s", c.words, got, want)
			}
		}
		for _, not := range c.without {
			if slices.Contains(got, not) {
				t.Errorf("%q: %v has %s", c.words, got, not)
			}
		}
	}
	// File names are the shell's, and nothing follows a command that is none.
	for _, words := range [][]string{{"run", "--out", ""}, {"report", ""}, {"scroe", ""}, {"run", "--", "x"}, {"run", "--limit", ""}} {
		if got := completions(t, "zsh", words...); len(got) != 0 {
			t.Errorf("%q: %v, want nothing", words, got)
		}
	}
	refused(t, exitUsage, []string{"want bash, zsh or fish"}, "completion", "tcsh")
	refused(t, exitUsage, []string{"a shell"}, "completion", "words")
}

// What is completed is what the program takes.
func TestCompletedValuesAreTaken(t *testing.T) {
	for flag, parse := range map[string]func(string) error{
		"avss-mode":    func(v string) error { _, err := avss.ParseMode(v); return err },
		"site":         func(v string) error { _, err := avss.ParseSite(v); return err },
		"repair":       func(v string) error { _, err := prune.ParseRepair(v); return err },
		"objective":    func(v string) error { _, err := prune.ParseObjective(v); return err },
		"alternatives": func(v string) error { _, err := job.ParseAlternatives(v); return err },
		"metric":       func(v string) error { _, err := avss.Lookup(v); return err },
		"tasks":        func(v string) error { _, err := bench.Lookup([]string{v}); return err },
		"format":       func(v string) error { _, err := prune.ParseFormat(v); return err },
		"device": func(v string) error {
			d, err := device.Open(v, device.Options{})
			if err == nil {
				err = d.Close()
			}
			return err
		},
	} {
		values := flagValues([]string{"run"}, flag)
		if len(values) < 2 {
			t.Errorf("--%s: %v", flag, values)
		}
		for _, v := range values {
			if err := parse(v); err != nil {
				t.Errorf("--%s %s: %v", flag, v, err)
			}
		}
	}
	for _, level := range choices["log-level"] {
		done(t, "--log-level", level, "completion", "bash")
	}
	done(t, "--log-level", "warn", "completion", "bash")
}

// Every flag whose values are known belongs to a command.
func TestCompletedFlagsExist(t *testing.T) {
	for flag := range choices {
		found := flag == "log-level"
		for _, command := range []string{"run", "score", "prune", "eval", "bench", "generate", "draft"} {
			found = found || slices.Contains(completions(t, "fish", command, "--"+flag), "--"+flag)
		}
		if !found {
			t.Errorf("no command has --%s", flag)
		}
	}
}

func TestWordsThatBashParts(t *testing.T) {
	for _, c := range []struct{ parted, want []string }{
		{[]string{"run", "--device", "=", "cuda", ":", "0"}, []string{"run", "--device=cuda:0"}},
		{[]string{"run", "--device", "cuda", ":"}, []string{"run", "--device", "cuda:"}},
		{[]string{"run", "--device", "="}, []string{"run", "--device="}},
		{[]string{"run", ""}, []string{"run", ""}},
	} {
		if got := joined(c.parted); !slices.Equal(got, c.want) {
			t.Errorf("%q: %q, want %q", c.parted, got, c.want)
		}
	}
	if got := completions(t, "bash", "run", "--device", "=", "re"); !slices.Equal(got, []string{"reference"}) {
		t.Errorf("%q", got)
	}
}
