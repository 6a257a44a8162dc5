//go:build unix

package tokenizer

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"avssnative/failure"
)

// Errors name what is wrong without passing on what a terminal would act on.
func TestQuoting(t *testing.T) {
	evil := `\u001b]0;x\u0007\u001b[2J`
	for _, file := range []string{
		`{"version":"` + evil + `","model":{` + letters + `}}`,
		`{"normalizer":{"type":"` + evil + `"},"model":{` + letters + `}}`,
		`{"normalizer":{"type":"Strip","strip_left":"` + evil + `"},"model":{` + letters + `}}`,
		`{"pre_tokenizer":{"type":"Split","behavior":"` + evil + `"},"model":{` + letters + `}}`,
		`{"pre_tokenizer":{"type":"Split","pattern":{"Regex":"` + evil + `("},"behavior":"Isolated"},"model":{` + letters + `}}`,
		`{"pre_tokenizer":{"type":"Split","pattern":{"Regex":"\\x{` + evil + `}"},"behavior":"Isolated"},"model":{` + letters + `}}`,
		`{"post_processor":{"type":"TemplateProcessing","single":[{"SpecialToken":{"id":"` + evil + `"}}]},"model":{` + letters + `}}`,
		`{"model":{"type":"BPE","vocab":{"` + evil + `":"` + evil + `"},"merges":[]}}`,
		`{"model":{"type":"BPE","vocab":{"a":0},"merges":["a ` + evil + `"]}}`,
		`{"model":{"type":"BPE","vocab":{"a":` + strings.Repeat("1", 5000) + `},"merges":[]}}`,
	} {
		_, err := readJSON([]byte(file), "file")
		if err == nil || strings.ContainsFunc(err.Error(), func(r rune) bool { return r < ' ' || r == 0x7f }) || len(err.Error()) > 1000 {
			t.Errorf("%.80s: %q", file, err)
		}
	}
}

func TestKinds(t *testing.T) {
	folder := t.TempDir()
	write := func(name, content string) string {
		path := filepath.Join(folder, name)
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	pipe := filepath.Join(folder, "pipe")
	for _, name := range []string{pipe, pipe + ".gguf"} {
		if err := syscall.Mkfifo(name, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for path, kind := range map[string]error{
		filepath.Join(folder, "none"):  failure.NotFound,
		t.TempDir():                    failure.NotFound,
		pipe + ".gguf":                 failure.Corrupt,
		pipe:                           failure.Corrupt,
		write("cut.json", `{"model":`): failure.Corrupt,
		write("cut.gguf", `GGUF`):      failure.Corrupt,
		write("cut.model", "\x0a\xff"): failure.Corrupt,
		write("far.json", `{"model":{"type":"WordLevel","vocab":{"a":-1}}}`): failure.Corrupt,
		write("new.json", `{"version":"9","model":{}}`):                      failure.Unsupported,
		write("magic.json", `{"model":{"type":"Magic","vocab":{}}}`):         failure.Unsupported,
	} {
		if _, err := Open(path); !errors.Is(err, kind) {
			t.Errorf("%s: %v is not %v", filepath.Base(path), err, kind)
		}
	}
	tok := small(t, "gpt2")
	if _, err := tok.Decode([]int32{-1}, false); !errors.Is(err, ErrID) {
		t.Error(err)
	}
}
