package command

import (
	"fmt"
	"path/filepath"
	"testing"

	"avssnative/internal/imatrix"
)

func TestImatrix(t *testing.T) {
	const model = "../../../engine/testdata/gguf/llama-f32.gguf"
	text := written(t, string(strange()), t.TempDir(), "text.txt")
	out := filepath.Join(t.TempDir(), "x.imatrix")
	asked := []string{"score", "--model", model, "--calib", text, "--calib-tokens=200", "--imatrix", out}
	done(t, asked...)
	if err := imatrix.Former(out); err != nil {
		t.Error(err)
	}
	refused(t, exitUsage, []string{"--imatrix", out}, asked...)
	done(t, append(asked, "--force")...)
	for _, c := range []struct {
		code  int
		words []string
		more  []string
	}{
		{exitUsage, []string{"--imatrix", "--device", "reference"}, []string{"--model", model, "--device=reference"}},
		{exitUsage, []string{"--imatrix", "--resume"}, []string{"--model", model, "--resume", t.TempDir()}},
		{exitUsage, []string{"--imatrix", "--shard"}, []string{"--model", model, "--shard=1/2", "--state", t.TempDir()}},
		{exitFailed, []string{"importance matrix", "demo", ".gguf"}, nil},
		{exitFailed, []string{"importance matrix", "experts"}, []string{"--model", "../../../engine/testdata/gguf/mixtral-f32.gguf"}},
	} {
		refused(t, c.code, c.words, append([]string{"score", "--imatrix", filepath.Join(t.TempDir(), "y")}, c.more...)...)
	}
}

// strange is text in the words that the small model's vocabulary has, t0 to t90.
func strange() []byte {
	var text []byte
	for i, state := 0, uint32(1); i < 6000; i++ {
		state = state*1664525 + 1013904223
		text = fmt.Appendf(text, "t%d", state>>16%90)
		if i%50 == 49 {
			text = append(text, '\n')
		}
	}
	return text
}
