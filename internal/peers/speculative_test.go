package peers_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"avssnative/engine"
	"avssnative/internal/need"
	"avssnative/tokenizer"
)

// llama.cpp's own program for speculative decoding, speculative-simple, takes a model and the draft that `draft` wrote of it: what it says
// greedily is what llama.cpp says with the model alone, and some of what the draft proposed was accepted. In float32 it is what we say, too;
// with weights in blocks llama.cpp rounds activations. .ci/steps/speculative.sh builds the program.
func TestLlamaCppSpeculates(t *testing.T) {
	program := os.Getenv("AVSSNATIVE_LLAMA_SPECULATIVE")
	if program == "" {
		t.Skip("skipped: AVSSNATIVE_LLAMA_SPECULATIVE, llama.cpp's example that .ci/steps/speculative.sh builds, is missing")
	}
	ours := filepath.Join(t.TempDir(), "avssnative")
	if out, err := exec.Command("go", "build", "-o", ours, "avssnative/cmd/avssnative").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	t.Run("tiny16", func(t *testing.T) {
		dense, _ := madeGGUF(t, "F32")
		speculated(t, program, ours, dense, true, []string{"Once upon a time", "The little dog was very", "Tom and Lily went to the park. They"})
	})
	t.Run("smollm2", func(t *testing.T) {
		speculated(t, program, ours, need.Model(t, "smollm2.gguf"), false, []string{realPrompt, "Once upon a time there was"})
	})
}

func speculated(t *testing.T, program, ours, dense string, same bool, prompts []string) {
	const tokens, ahead = 40, 4
	draft := filepath.Join(t.TempDir(), "draft.gguf")
	out, err := exec.Command(ours, "draft", "--model", dense, "--device=cpu", "--shares=20", "--tokens=16", "--metrics=bi", "--calib-tokens=1024",
		"--seq-len=64", "--calib", filepath.Join(need.Root(), "internal/smallworld/calibration.txt"), "--out", draft).CombinedOutput()
	if err != nil {
		t.Fatalf("draft: %v: %s", err, out)
	}
	words, err := tokenizer.Open(dense)
	if err != nil {
		t.Fatal(err)
	}
	m, err := engine.Open(t.Context(), dense, engine.Options{Device: "cpu"})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	var ids [][]int32
	for _, prompt := range prompts {
		ids = append(ids, encode(t, words, prompt))
	}
	var alone struct{ Alone [][]int32 }
	// It may say as many more as it reads in one step.
	asked := map[string]any{"model": dense, "draft": draft, "prompts": ids, "tokens": tokens + ahead + 1, "ahead": ahead}
	tell(t, asked, &alone, llamaPython(t), "llama_draft.py")
	all := 0
	for i, prompt := range prompts {
		said, accepted := speculates(t.Context(), t, program, dense, draft, prompt, tokens, ahead)
		all += accepted
		within := func(who string, made []int32) {
			if end := slices.IndexFunc(made, words.IsSpecial); end >= 0 {
				made = made[:end]
			}
			text := func(made []int32) string {
				text, err := words.Decode(append(slices.Clone(ids[i]), made...), true)
				if err != nil {
					t.Fatal(err)
				}
				return text
			}
			if least := text(made[:min(tokens, len(made))]); !strings.HasPrefix(text(made), said) || !strings.HasPrefix(said, strings.TrimSpace(least)) {
				t.Errorf("with the draft %q, %s %q", said, who, text(made))
			}
		}
		within("llama.cpp alone", alone.Alone[i])
		if same {
			within("we", saidAlone(t, m, ids[i:i+1], tokens+ahead+1)[0])
		}
		t.Logf("%d accepted: %q", accepted, said)
	}
	if all == 0 {
		t.Error("nothing that the draft proposed was accepted")
	}
}

var acceptedLine = regexp.MustCompile(`n_accept *= *(\d+)`)

// speculates is what the program says, the prompt before it, and how many tokens of the draft were accepted.
func speculates(ctx context.Context, t *testing.T, program, dense, draft, prompt string, tokens, ahead int) (said string, accepted int) {
	t.Helper()
	var told, complaint bytes.Buffer
	var count [][]byte
	for range 5 { // what its thread of the log has not written when it ends is lost now and then, this line among it
		told.Reset()
		complaint.Reset()
		command := exec.CommandContext(ctx, program, "-m", dense, "-md", draft, "--spec-type", "draft-simple", "--spec-draft-n-max", fmt.Sprint(ahead),
			"-p", prompt, "-n", fmt.Sprint(tokens), "--temp", "0", "-c", "256", "-t", "1", "-fa", "off",
			"-ctk", "f32", "-ctv", "f32", "-ctkd", "f32", "-ctvd", "f32")
		command.Stdout, command.Stderr = &told, &complaint
		if err := command.Run(); err != nil {
			t.Fatalf("%v: %s", err, complaint.Bytes())
		}
		if count = acceptedLine.FindSubmatch(slices.Concat(complaint.Bytes(), told.Bytes())); count != nil {
			break
		}
	}
	if count == nil {
		t.Fatalf("it does not say how many tokens were accepted: %s", complaint.Bytes())
	}
	accepted, err := strconv.Atoi(string(count[1]))
	if err != nil {
		t.Fatal(err)
	}
	// The prompt's special tokens are said as they are written.
	said = told.String()
	if at := strings.Index(said, prompt); at >= 0 {
		said = said[at:]
	}
	return strings.TrimSpace(said), accepted
}
