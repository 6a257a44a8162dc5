package tokenizer

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
)

func TestChatTemplates(t *testing.T) {
	for _, c := range []struct {
		name, config string
		files        map[string]string
		want         map[string]string
	}{
		{"none", `{}`, nil, map[string]string{}},
		{"null", `{"chat_template":null}`, nil, map[string]string{}},
		{"one", `{"chat_template":"{{ a }}"}`, nil, map[string]string{"default": "{{ a }}"}},
		{"named", `{"chat_template":[{"name":"default","template":"d"},{"name":"tool_use","template":"t"}]}`, nil,
			map[string]string{"default": "d", "tool_use": "t"}},
		{"file", ``, map[string]string{"chat_template.jinja": "f"}, map[string]string{"default": "f"}},
		{"file first", `{"chat_template":"c"}`, map[string]string{"chat_template.jinja": "f", "additional_chat_templates/rag.jinja": "r"},
			map[string]string{"default": "f", "rag": "r"}},
	} {
		folder := t.TempDir()
		files := map[string]string{"tokenizer.json": string(gunzip(t, "testdata/golden/gpt2/tokenizer.json.gz"))}
		if c.config != "" {
			files["tokenizer_config.json"] = c.config
		}
		for name, content := range c.files {
			files[name] = content
		}
		for name, content := range files {
			path := filepath.Join(folder, name)
			if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		tok, err := Open(folder)
		if err != nil {
			t.Fatal(err)
		}
		if len(tok.ChatTemplates()) != len(c.want) {
			t.Errorf("%s: templates %q", c.name, tok.ChatTemplates())
		}
		for name, want := range c.want {
			if got, ok := tok.ChatTemplate(name); !ok || got != want || !slices.Contains(tok.ChatTemplates(), name) {
				t.Errorf("%s: %s is %q, want %q", c.name, name, got, want)
			}
		}
		if text, ok := tok.ChatTemplate(""); text != c.want["default"] || ok != (c.want["default"] != "") {
			t.Errorf("%s: the default is %q", c.name, text)
		}
	}
	v := ggufVocabulary{Model: "gpt2", Pre: "gpt-2", Tokens: []string{"a"}, Template: "g", Templates: map[string]string{"tool_use": "t"}}
	tok, err := readGGUF(v)
	if err != nil {
		t.Fatal(err)
	}
	if text, _ := tok.ChatTemplate(""); text != "g" || len(tok.ChatTemplates()) != 2 {
		t.Errorf("GGUF: %q, %q", text, tok.ChatTemplates())
	}
}

// Tokens that a folder names beside those that begin and end a text.
func TestNamedTokens(t *testing.T) {
	folder := t.TempDir()
	for name, content := range map[string]string{"tokenizer.json": string(gunzip(t, "testdata/golden/gpt2/tokenizer.json.gz")),
		"tokenizer_config.json": `{"unk_token":"<|endoftext|>","pad_token":"<none>"}`} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	tok, err := Open(folder)
	if err != nil {
		t.Fatal(err)
	}
	unknown, hasUnknown := tok.Unknown()
	if _, hasPadding := tok.Padding(); unknown != 0 || !hasUnknown || hasPadding || len(tok.Notes()) != 1 {
		t.Errorf("unknown %d %v, padding %v, notes %q", unknown, hasUnknown, hasPadding, tok.Notes())
	}
	if id, ok := small(t, "bert").Unknown(); !ok || id < 0 {
		t.Errorf("bert: unknown %d %v", id, ok)
	}
}
