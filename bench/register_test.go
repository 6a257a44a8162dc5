package bench

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"avssnative/avss"
	"avssnative/failure"

	"github.com/google/go-cmp/cmp"
)

// own registers a task for one test, as a file outside the tree does from its init.
func own(t *testing.T, task Task) {
	t.Helper()
	Register(task)
	t.Cleanup(func() { delete(registry, task.Name) })
}

func TestTaskOfOnesOwn(t *testing.T) {
	paper := avss.Citation{Authors: "Nobody", Year: 2024, Title: "Opposites"}
	own(t, Task{Name: "opposites", Version: "1.0", Papers: []avss.Citation{paper}, Chance: 0.25,
		Inside: func() []byte {
			return []byte(`{"context": "The opposite of up is", "choices": ["down", "left"], "gold": 0}`)
		}})
	sets, err := Load(t.Context(), []string{"opposites"}, Source{}, Limit{})
	if err != nil {
		t.Fatal(err)
	}
	_, results := judge(t, sets, newFake(true, true, true), Options{})
	r := results[0]
	if r.Task != "opposites" || r.Primary != "acc" || r.Chance != 0.25 || len(r.Metrics) != 2 || r.MaxLength != 2048 {
		t.Errorf("result %+v", r)
	}
	if diff := cmp.Diff([]avss.Citation{paper}, Bibliography(results)); diff != "" {
		t.Error(diff)
	}
	if !slices.Contains(Names(), "opposites") {
		t.Errorf("names %v", Names())
	}
}

// taskFile writes a file for a name that nobody registered.
func taskFile(t *testing.T, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "mine.jsonl")
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
	return "mine=" + path
}

func TestTaskWithoutCode(t *testing.T) {
	questions, err := Load(t.Context(), []string{taskFile(t, "{\"context\": \"a\", \"choices\": [\"b\", \"c\"], \"gold\": 1}\n")}, Source{}, Limit{})
	if err != nil {
		t.Fatal(err)
	}
	texts, err := Load(t.Context(), []string{taskFile(t, "{\"text\": \"a b\"}\n\n{\"text\": \"c\"}\n")}, Source{}, Limit{Items: 2})
	if err != nil {
		t.Fatal(err)
	}
	task := questions[0].Task
	if task.Name != "mine" || task.Kind != Choice || task.Primary != "acc" || questions[0].Items[0].Gold != 1 {
		t.Errorf("questions %+v", questions[0])
	}
	if task = texts[0].Task; task.Kind != Rolling || task.Primary != "token_perplexity" || len(texts[0].Items) != 2 || texts[0].Items[0].Words != 2 {
		t.Errorf("texts %+v", texts[0])
	}
}

func TestTaskFilesThatAreWrong(t *testing.T) {
	for content, want := range map[string]string{
		"{\"query\": \"a\"}\n": "mine.jsonl: record 1: no context or no gold: want context, choices and gold, or text",
		"{\"context\": \"a\", \"choices\": [\"b\"], \"gold\": 0}\n":                                      "mine.jsonl: record 1: 1 choices, want at least 2",
		"{\"text\": \"a\", \"context\": \"b\"}\n":                                                        "text beside context or choices",
		"{\"text\": \" \"}\n":                                                                            "the text is blank",
		"{\"text\": \"a\"}\n{\"context\": \"a\", \"choices\": [\"b\", \"c\"], \"gold\": 0}\n":            "item 1: questions and texts in one file",
		"{\"context\": \"a\", \"choices\": [\"b\", \"c\"], \"gold\": 0}\n{\"text\": \"a\"}\nnot an item": "mine.jsonl: line 3",
		"": "no items",
	} {
		_, err := Load(t.Context(), []string{taskFile(t, content)}, Source{}, Limit{})
		if err == nil || !strings.Contains(err.Error(), want) || !strings.HasPrefix(err.Error(), "bench: mine: ") || !errors.Is(err, failure.Corrupt) {
			t.Errorf("%q: %v, want %q", content, err, want)
		}
	}
	for _, name := range []string{"nobody_knows", "mine=/nowhere/at/all.jsonl"} {
		if _, err := Load(t.Context(), []string{name}, Source{}, Limit{}); !errors.Is(err, failure.NotFound) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := Load(t.Context(), []string{"my tasks=x.jsonl"}, Source{}, Limit{}); err == nil || !strings.Contains(err.Error(), "is no name") {
		t.Error(err)
	}
}

func TestTasksThatCannotBe(t *testing.T) {
	files := []string{"x/y.jsonl"}
	for want, task := range map[string]Task{
		"a name that is taken":    {Name: "sst2", Version: "1", Files: files},
		"group has a name":        {Name: "other", Group: "sst2", Version: "1", Files: files},
		"is no name":              {Name: "a,b", Version: "1", Files: files},
		"has no version":          {Name: "other", Files: files},
		"reports word_perplexity": {Name: "other", Version: "1", Metrics: []string{"word_perplexity"}, Files: files},
		"which is none of [acc":   {Name: "other", Version: "1", Primary: "perplexity", Files: files},
		"right by guessing":       {Name: "other", Version: "1", Chance: 1, Files: files},
	} {
		func() {
			defer func() {
				if why, _ := recover().(string); !strings.Contains(why, want) {
					t.Errorf("%+v: %q, want %q", task, why, want)
				}
			}()
			Register(task)
		}()
	}
}

// What the built-in tasks are made of goes through the same door.
func TestEveryTaskIsWhole(t *testing.T) {
	for name, task := range registry {
		if task.Name != name || task.Read == nil || len(task.Papers) == 0 && task.Group != "small_world" {
			t.Errorf("%s: %+v", name, task)
		}
	}
	members := group("small_world")
	if len(members) != 3 || members[0].Name != "small_world_qa" || members[2].Name != "small_world_stories" {
		t.Errorf("small_world stands for %v", members)
	}
}
