package command

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// saidBy calls generate with --json.
func saidBy(t *testing.T, arguments ...string) saidJSON {
	t.Helper()
	var said saidJSON
	out := done(t, append([]string{"generate", "--json"}, arguments...)...)
	if err := json.Unmarshal([]byte(out), &said); err != nil || said.Continued == nil {
		t.Fatalf("%v: %v: %s", arguments, err, out)
	}
	return said
}

func TestGenerate(t *testing.T) {
	const prompt = "Once upon a time"
	said := saidBy(t, "--prompt", prompt, "--tokens", "20")
	if len(said.Tokens) != 20 || said.Ended != "tokens" || said.Text == "" || said.PromptTokens == 0 || said.Seconds <= 0 || said.CacheBytes <= 0 {
		t.Errorf("20 tokens: %+v", said.Continued)
	}
	if said.CacheBytes != int64(said.PromptTokens+20)*said.PerToken {
		t.Errorf("%d bytes of cache, %d a token: %+v", said.CacheBytes, said.PerToken, said.Continued)
	}
	if shown := done(t, "generate", "--prompt", prompt, "--tokens", "20"); strings.TrimSuffix(shown, "\n") != said.Text {
		t.Errorf("shown %q, want %q", shown, said.Text)
	}
	if c := callWith(t.Context(), prompt+"\n", "generate", "--tokens=20"); c.code != exitDone || strings.TrimSuffix(c.stdout, "\n") != said.Text {
		t.Errorf("from stdin: code %d, %q %s", c.code, c.stdout, c.stderr)
	}
	word := strings.Fields(said.Text)[4]
	before, _, _ := strings.Cut(said.Text, word)
	stopped := saidBy(t, "--prompt", prompt, "--tokens=20", "--stop", "no such text", "--stop", word)
	if stopped.Text != before || stopped.Ended != "stop" || len(stopped.Tokens) >= 20 {
		t.Errorf("stopped before %q: %+v", word, stopped.Continued)
	}
	if shown := done(t, "generate", "--prompt", prompt, "--tokens=20", "--stop", word); shown != before+"\n" {
		t.Errorf("shown before %q: %q, want %q", word, shown, before)
	}
}

func TestGenerateEndsAndFills(t *testing.T) {
	ended := saidBy(t, "--prompt", "The end.", "--tokens", "0")
	if ended.Ended != "end" && ended.Ended != "context" {
		t.Errorf("ended by %s", ended.Ended)
	}
	on := saidBy(t, "--prompt", "The end.", "--tokens", "0", "--ignore-eos")
	if on.Ended != "context" || len(on.Tokens) < len(ended.Tokens) || !slices.Equal(on.Tokens[:len(ended.Tokens)], ended.Tokens) {
		t.Errorf("--ignore-eos: %d tokens, ended by %s, %d tokens and %s without", len(on.Tokens), on.Ended, len(ended.Tokens), ended.Ended)
	}
}

func TestGenerateDraws(t *testing.T) {
	drawn := func(seed string, more ...string) []int32 {
		return saidBy(t, append([]string{"--prompt", "Once", "--tokens=16", "--temperature=1.5", "--ignore-eos", "--seed", seed}, more...)...).Tokens
	}
	if a, b := drawn("1"), drawn("1"); !slices.Equal(a, b) {
		t.Errorf("one seed gave %v and %v", a, b)
	}
	if slices.Equal(drawn("1"), drawn("2")) {
		t.Error("two seeds gave the same 16 tokens")
	}
	greedy := saidBy(t, "--prompt", "Once", "--tokens=16", "--ignore-eos").Tokens
	for _, only := range []string{"--top-k=1", "--top-p=1e-9", "--min-p=1"} {
		if got := drawn("1", only); !slices.Equal(got, greedy) {
			t.Errorf("%s: %v, the most likely are %v", only, got, greedy)
		}
	}
}

func TestGenerateBeside(t *testing.T) {
	pair := saidBy(t, "--prompt", "Once upon a time", "--tokens=12", "--drop", "3,7.attn")
	alone := saidBy(t, "--prompt", "Once upon a time", "--tokens=12")
	if pair.Pruned == nil || len(pair.Pruned.Tokens) != 12 || !slices.Equal(pair.Tokens, alone.Tokens) || pair.Pruned.CacheBytes >= pair.CacheBytes {
		t.Errorf("with --drop: %+v beside %+v", pair.Continued, pair.Pruned)
	}
	twin := saidBy(t, "--prompt", "Once upon a time", "--tokens=12", "--beside", "demo")
	if twin.Beside == nil || !slices.Equal(twin.Tokens, twin.Beside.Tokens) {
		t.Errorf("the demo beside itself: %+v, %+v", twin.Continued, twin.Beside)
	}
	out := done(t, "generate", "--prompt", "Once upon a time", "--tokens=12", "--drop", "0")
	for _, want := range []string{"Dense\n", "Without 0\n", alone.Text, "They part after"} {
		if !strings.Contains(out, want) {
			t.Errorf("side by side lacks %q: %s", want, out)
		}
	}
}

func TestGenerateRefuses(t *testing.T) {
	for _, c := range []struct {
		code      int
		words     []string
		arguments []string
	}{
		{exitUsage, []string{"--prompt is missing", "stdin"}, nil},
		{exitUsage, []string{"layers 0 to 15"}, []string{"--prompt=x", "--drop=16"}},
		{exitUsage, []string{"--drop", "no layer"}, []string{"--prompt=x", "--drop=a"}},
		{exitUsage, []string{"--drop", "--beside"}, []string{"--prompt=x", "--drop=1", "--beside=demo"}},
		{exitUsage, []string{"--tokens -1"}, []string{"--prompt=x", "--tokens=-1"}},
		{exitUsage, []string{"--top-p 2"}, []string{"--prompt=x", "--temperature=1", "--top-p=2"}},
		{exitUsage, []string{"--temperature NaN"}, []string{"--prompt=x", "--temperature=NaN"}},
		{exitUsage, []string{"--temperature above 0"}, []string{"--prompt=x", "--top-k=5"}},
		{exitUsage, []string{"--system", "--chat"}, []string{"--prompt=x", "--system=y"}},
		{exitFailed, []string{"has positions for"}, []string{"--prompt=" + strings.Repeat("word ", 3000)}},
		{exitFailed, []string{"sequences of", "tokens fit"}, []string{"--prompt=x", "--memory=64KiB"}},
	} {
		refused(t, c.code, c.words, append([]string{"generate"}, c.arguments...)...)
	}
}

// A conversation is written by the template in the model's folder, special tokens and all.
func TestGenerateChat(t *testing.T) {
	refused(t, exitFailed, []string{"--chat", "no chat template"}, "generate", "--chat", "--prompt=x")
	folder := t.TempDir()
	if err := os.CopyFS(folder, os.DirFS(demoFolder(t))); err != nil {
		t.Fatal(err)
	}
	template := "{{ bos_token }}{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}{% if add_generation_prompt %}assistant:{% endif %}"
	if err := os.WriteFile(filepath.Join(folder, "chat_template.jinja"), []byte(template), 0o600); err != nil {
		t.Fatal(err)
	}
	chatted := saidBy(t, "--model", folder, "--chat", "--system", "Be kind.", "--prompt", "Who is there?", "--tokens=8")
	written := saidBy(t, "--model", folder, "--prompt", "system: Be kind.\nuser: Who is there?\nassistant:", "--tokens=8")
	if !slices.Equal(chatted.Tokens, written.Tokens) || chatted.PromptTokens != written.PromptTokens {
		t.Errorf("by the template %+v, by hand %+v", chatted.Continued, written.Continued)
	}
	if err := os.WriteFile(filepath.Join(folder, "chat_template.jinja"), []byte("{% include 'x' %}"), 0o600); err != nil {
		t.Fatal(err)
	}
	refused(t, exitFailed, []string{"--chat", "template", "include"}, "generate", "--model", folder, "--chat", "--prompt=x")
}
