package command

import (
	"path/filepath"
	"strings"
	"testing"
)

func TestShow(t *testing.T) {
	const models = "../../../engine/testdata/"
	for _, model := range []string{"demo", demoFolder(t), models + "gguf/gemma3-f32.gguf", models + "architectures/qwen3-next"} {
		out := done(t, "show", model)
		for _, want := range []string{"keys and values in half precision", "tokenizer", "Sizes by layer", "Sizes by type",
			"What can be done with it", "repair"} {
			if !strings.Contains(out, want) {
				t.Errorf("%s: lacks %q:\n%s", model, want, out)
			}
		}
		for _, line := range strings.Split(out, "\n") {
			if n := len([]rune(line)); n > 80 {
				t.Errorf("line of %d columns: %s", n, line)
			}
		}
	}
	o := object(t, done(t, "show", "--json", "demo"))
	if o["architecture"] != "llama" || o["layers"] != 16.0 || len(o["blocks"].([]any)) != 16 || o["tokenizer"].(map[string]any)["size"] != 2048.0 {
		t.Errorf("%v", o)
	}
	refused(t, exitUsage, []string{"one model", "show demo"}, "show")
	refused(t, exitUsage, []string{"one model"}, "show", "demo", "demo")
	refused(t, exitFailed, []string{"no such folder"}, "show", filepath.Join(t.TempDir(), "none"))
}
