package command

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"avssnative/internal/smallworld"
)

// A search by the answers to a task's questions says so, and asks none of them again where it judges.
func TestSearchByATasksQuestions(t *testing.T) {
	dir := t.TempDir()
	lines := bytes.SplitAfter(smallworld.QA(), []byte("\n"))
	some := "some=" + written(t, string(bytes.Join(lines[:40], nil)), dir, "some.jsonl")
	quick := []string{"--calib-tokens=300", "--seq-len=32", "--metric=search", "--objective=task", "--search-task", some, "--search-items=9", "--seed=2"}
	samples := filepath.Join(dir, "samples.jsonl")
	command := with("run", quick, []string{"--drop=2", "--tasks", some, "--generate=0", "--alternatives=none", "--no-timing", "--json"})
	o := object(t, done(t, append(command, "--samples", samples)...))
	found := o["scores"].(map[string]any)["search"].(map[string]any)
	set := found["sets"].([]any)[0].(map[string]any)
	if set["per"] != "question" || !slices.ContainsFunc(found["notes"].([]any), func(n any) bool {
		return strings.Contains(n.(string), "9 questions of some") && strings.Contains(n.(string), "judge nothing")
	}) {
		t.Errorf("%v", found)
	}
	// All other items of the task are judged.
	var judged []int
	for _, line := range strings.Split(strings.TrimSpace(readFile(t, samples)), "\n") {
		var item struct {
			Variant string
			Item    int `json:"doc_id"`
		}
		if err := json.Unmarshal([]byte(line), &item); err != nil {
			t.Fatal(err)
		}
		if !slices.Contains(judged, item.Item) {
			judged = append(judged, item.Item)
		}
	}
	if n := o["tasks"].(map[string]any)["some"].(map[string]any)["n"].(float64); 40-int(n) < 9 || int(n) != len(judged) {
		t.Errorf("%v of 40 items judged, %d of them different", n, len(judged))
	}

	kept := filepath.Join(dir, "kept")
	for range 2 {
		again := object(t, done(t, append(command, "--resume", kept)...))
		if got, want := again["plan"].(map[string]any)["dropped"].([]any), o["plan"].(map[string]any)["dropped"].([]any); !slices.Equal(got, want) {
			t.Errorf("--resume: %v, want %v", got, want)
		}
	}
	done(t, with("score", quick, []string{"--greedy-layers=1"})...)
	own := filepath.Join(dir, "own.jsonl")
	if err := os.WriteFile(own, []byte(`{"context": "a", "choices": ["b", "c"], "gold": 0}`+"\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	for words, flags := range map[string][]string{
		"is missing":           {"--metric=search", "--objective=task"},
		"--objective is not":   {"--metric=search", "--search-task=small_world_qa"},
		"not measured":         {"--search-task=small_world_qa"},
		"did you mean":         {"--metric=search", "--objective=task", "--search-task=small_world_q"},
		"have choices":         {"--metric=search", "--objective=task", "--search-task=small_world_stories"},
		"--search-items 0":     {"--metric=search", "--objective=task", "--search-task=small_world_qa", "--search-items=0"},
		"--search-tokens has":  {"--metric=search", "--objective=task", "--search-task=small_world_qa", "--search-tokens=9"},
		"too few to keep some": {"--metric=search", "--objective=task", "--search-task=own=" + own},
	} {
		refused(t, exitUsage, []string{"--", words}, append([]string{"score"}, flags...)...)
	}
}
