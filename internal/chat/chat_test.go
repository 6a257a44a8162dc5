package chat

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// What transformers makes of the same templates and conversations (tools/goldens/chat_templates.py), character for character. chatml.jinja and
// gemma.jinja are the two published forms, written from their descriptions; the own templates each use another part of the language.
func TestTemplatesRenderAsTransformersRendersThem(t *testing.T) {
	data, err := os.ReadFile("testdata/rendered.json")
	if err != nil {
		t.Fatal(err)
	}
	var golden struct {
		Tokens        map[string]string
		Conversations [][]Message
		Rendered      map[string][]struct{ Text, Refused *string }
	}
	if err := json.Unmarshal(data, &golden); err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob("testdata/*.jinja")
	if err != nil || len(files) < 12 || len(files) != len(golden.Rendered) {
		t.Fatalf("%d templates, %d of them rendered, %v", len(files), len(golden.Rendered), err)
	}
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".jinja")
		t.Run(name, func(t *testing.T) {
			source, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			template, err := Compile(string(source), golden.Tokens)
			if err != nil {
				t.Fatal(err)
			}
			for i, want := range golden.Rendered[name] {
				got, err := template.Render(golden.Conversations[i/2], i%2 == 1)
				switch {
				case want.Refused != nil && (err == nil || !strings.Contains(err.Error(), *want.Refused)):
					t.Errorf("conversation %d: %q and error %v, want the refusal %q", i/2, got, err, *want.Refused)
				case want.Text != nil && (err != nil || got != *want.Text):
					t.Errorf("conversation %d: %q, %v, want %q", i/2, got, err, *want.Text)
				}
			}
		})
	}
}

func TestBadTemplatesAreErrors(t *testing.T) {
	for name, source := range map[string]string{
		"unknown statement":  "{% include 'x' %}",
		"unknown filter":     "{{ messages | nofilter }}",
		"unknown function":   "{{ nofunction() }}",
		"never closed":       "{% for m in messages %}",
		"no expression":      "{{ ",
		"range without end":  "{% for i in range(1000000000) %}a{% endfor %}",
		"range backwards":    "{{ range(0, -1000000000, -1) }}",
		"range of step 0":    "{{ range(1, 5, 0) }}",
		"refused by its own": "{{ raise_exception('no') }}",
	} {
		template, err := Compile(source, nil)
		if err == nil {
			_, err = template.Render([]Message{{"user", "x"}}, true)
		}
		if err == nil || !strings.HasPrefix(err.Error(), "chat: ") {
			t.Errorf("%s: error %v", name, err)
		}
	}
	template, err := Compile("x", nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := template.Render(nil, true); err == nil {
		t.Error("no messages were rendered")
	}
}
