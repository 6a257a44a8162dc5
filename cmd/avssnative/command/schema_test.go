package command

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// strict is the schema of docs/schema under which a field that it does not name is wrong. As published it lets such pass: a later program of the
// same version may write more.
func strict(t *testing.T, name string) *jsonschema.Schema {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("../../../docs/schema", name))
	if err != nil {
		t.Fatal(err)
	}
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	var shut func(any)
	shut = func(value any) {
		object, ok := value.(map[string]any)
		if !ok {
			return
		}
		if _, open := object["additionalProperties"]; object["type"] == "object" && object["properties"] != nil && !open {
			object["additionalProperties"] = false
		}
		for _, field := range object {
			shut(field)
		}
	}
	shut(document)
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	if err := c.AddResource(name, document); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile(name)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func valid(t *testing.T, s *jsonschema.Schema, what, text string) any {
	t.Helper()
	value, err := jsonschema.UnmarshalJSON(strings.NewReader(text))
	if err != nil {
		t.Fatalf("%s: %v", what, err)
	}
	if err := s.Validate(value); err != nil {
		t.Errorf("%s: %v", what, err)
	}
	return value
}

// What the program prints and saves is what docs/schema says, with no field that stands in no schema.
func TestOutputsFollowTheirSchemas(t *testing.T) {
	report, judged, scores := strict(t, "report.schema.json"), strict(t, "eval.schema.json"), strict(t, "scores.schema.json")
	file := filepath.Join(t.TempDir(), "scores.json")
	json := []string{"--json", "--no-timing"}
	prints := func(s *jsonschema.Schema, arguments ...string) any {
		return valid(t, s, strings.Join(arguments, " "), done(t, arguments...))
	}
	prints(report, with("score", quickText, []string{"--json", "--metrics=ppl,greedy,search", "--greedy-layers=2", "--search-tokens=256", "--beam=2",
		"--out=" + file})...)
	saved, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	valid(t, scores, "scores.json", string(saved))
	more := []string{"--shares=12.5", "--repair=scale", "--generate=4", "--alternatives=q8_0"}
	whole := prints(report, with("run", quickText, quickTasks, json, more)...)
	prints(report, with("run", quickText, quickTasks, json, []string{"--target=memory 6MiB", "--unit=sublayer", "--repair=none", "--generate=0"})...)
	prints(report, with("bench", quickText, quickTasks, json, []string{"--metrics=bi", "--shares=12.5", "--generate=2"})...)
	prints(report, with("prune", quickText, []string{"--json", "--drop=3,7", "--out=" + filepath.Join(t.TempDir(), "pruned")})...)
	prints(judged, with("eval", quickTasks, []string{"--json", "--drop=3", "--tasks=small_world_qa"})...)
	prints(judged, with("eval", quickTasks, []string{"--json", "--tasks=small_world_sentiment"})...)

	whole.(map[string]any)["perplexed"] = 1
	if report.Validate(whole) == nil {
		t.Error("a field that no schema names is let pass")
	}
	delete(whole.(map[string]any), "perplexed")
	whole.(map[string]any)["schema"] = 2
	if report.Validate(whole) == nil {
		t.Error("a report of another schema is let pass")
	}
}
