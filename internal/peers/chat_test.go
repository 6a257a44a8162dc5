package peers_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"avssnative/internal/chat"
	"avssnative/internal/need"
	"avssnative/tokenizer"
)

// The chat template inside the GGUF that AVSSNATIVE_CHAT_GGUF names is rendered by transformers and by us, character for character. The
// repository has templates of its own for this (internal/chat); here it is a published model's.
func TestChatTemplateOfAPublishedModel(t *testing.T) {
	path := os.Getenv("AVSSNATIVE_CHAT_GGUF")
	if path == "" {
		t.Skip("skipped: AVSSNATIVE_CHAT_GGUF names no model with a chat template")
	}
	python := harnessPython(t)
	words, err := tokenizer.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	source, found := words.ChatTemplate("")
	if !found {
		t.Fatalf("%s holds no chat template", path)
	}
	folder := t.TempDir()
	if err := os.WriteFile(filepath.Join(folder, "published.jinja"), []byte(source), 0o600); err != nil {
		t.Fatal(err)
	}
	script := filepath.Join(need.Root(), "tools", "goldens", "chat_templates.py")
	if out, err := exec.CommandContext(t.Context(), python, script, folder).CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", script, err, out)
	}
	data, err := os.ReadFile(filepath.Join(folder, "rendered.json"))
	if err != nil {
		t.Fatal(err)
	}
	var peer struct {
		Tokens        map[string]string
		Conversations [][]chat.Message
		Rendered      struct {
			Published []struct{ Text, Refused *string }
		}
	}
	if err := json.Unmarshal(data, &peer); err != nil {
		t.Fatal(err)
	}
	template, err := chat.Compile(source, peer.Tokens)
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range peer.Rendered.Published {
		got, err := template.Render(peer.Conversations[i/2], i%2 == 1)
		if (err != nil) != (want.Refused != nil) || want.Text != nil && got != *want.Text {
			t.Errorf("conversation %d: %q, %v; transformers has %v %v", i/2, got, err, want.Text, want.Refused)
		}
	}
	t.Logf("%d texts are the same", len(peer.Rendered.Published))
}
