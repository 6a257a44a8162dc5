package command

import (
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Text is taken until the set is settled, which the report says; --resume takes the same; where it cannot be done it is wrong usage.
func TestTextUntilTheSetIsSettled(t *testing.T) {
	command := with("score", []string{"--calib-tokens=auto:200-800", "--seq-len=40", "--json"})
	kept := filepath.Join(t.TempDir(), "kept")
	fresh := object(t, done(t, command...))
	settled := fresh["settled"].(map[string]any)
	blocks := settled["blocks"].([]any)
	tokens := blocks[len(blocks)-1].(map[string]any)["tokens"]
	if settled["settled"] != true || settled["level"] != 0.05 || tokens != fresh["calibration"].(map[string]any)["tokens"] || tokens.(float64) < 200 {
		t.Errorf("%v; %v", settled, fresh["calibration"])
	}
	for range 2 {
		again := object(t, done(t, append(command, "--resume", kept)...))
		for _, key := range []string{"settled", "scores", "calibration"} {
			if diff := cmp.Diff(fresh[key], again[key]); diff != "" {
				t.Errorf("--resume: %s: %s", key, diff)
			}
		}
	}
	o := object(t, done(t, with("run", quickTasks, []string{"--calib-tokens=auto:200-400", "--calib-settled=0.01%", "--seq-len=40",
		"--generate=0", "--json"})...))
	if o["settled"].(map[string]any)["settled"] != false || o["calibration"].(map[string]any)["tokens"].(float64) < 350 {
		t.Errorf("%v", o["settled"])
	}
	for words, arguments := range map[string][]string{
		"LEAST-MOST":       {"score", "--calib-tokens=auto:100"},
		"as auto:4096-655": {"score", "--calib-tokens=auto:100-50"},
		"or auto":          {"score", "--calib-tokens=aut"},
		"want a share":     {"score", "--calib-tokens=auto", "--calib-settled=5"},
		"is a number":      {"score", "--calib-settled=5%"},
		"--shard":          {"score", "--calib-tokens=auto", "--shard=0/2", "--state", kept},
		"one pass":         {"score", "--calib-tokens=auto", "--metric=kl"},
		"run of layers":    {"run", "--calib-tokens=auto", "--metric=angular"},
		"names the layers": {"run", "--calib-tokens=auto", "--drop=3,4"},
		"--target":         {"run", "--calib-tokens=auto", "--target=kl 0.1"},
		"settles no set":   {"bench", "--calib-tokens=auto"},
	} {
		refused(t, exitUsage, []string{"--calib-", words}, arguments...)
	}
}
