package command

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"avssnative/engine"
	"avssnative/internal/report"
)

// --linear is refused where nothing could become a linear map, or nothing could hold one, before anything is computed.
func TestLinearRefused(t *testing.T) {
	small := "../../../engine/testdata/gguf/llama-f32.gguf"
	out := filepath.Join(t.TempDir(), "out.gguf")
	for _, c := range []struct {
		arguments []string
		want      string
	}{
		{[]string{"prune", "--model", small, "--drop", "0,1", "--linear", "--out", out}, "names no attention without its MLP"},
		{[]string{"run", "--model", small, "--drop", "0,1", "--linear"}, "names no attention without its MLP"},
		{[]string{"run", "--model", small, "--drop", "25%", "--linear"}, "want --unit sublayer"},
		{[]string{"eval", "--model", small, "--linear"}, "without --drop there is one model"},
		{[]string{"eval", "--model", small, "--drop", "1.attn", "--linear", "--repair", "scale"}, "take lstsq, refit or full"},
		{[]string{"run", "--model", small, "--unit", "sublayer", "--target", "memory 1MiB", "--linear"}, "is not counted by it"},
		{[]string{"prune", "--model", "demo", "--drop", "1.attn", "--linear", "--out", strings.TrimSuffix(out, ".gguf")}, "in GGUF files alone"},
		{[]string{"prune", "--model", "../../../engine/testdata/gguf/qwen2-f32.gguf", "--drop", "1.attn", "--linear", "--out", out}, "not for qwen2"},
	} {
		refused(t, exitUsage, []string{c.want}, c.arguments...)
	}
	if _, err := os.Stat(out); err == nil {
		t.Error("something was written")
	}
}

// The demo is judged with linear maps in the place of attentions, and the report names them; what is counted is what there is.
func TestLinearIsJudged(t *testing.T) {
	saved := filepath.Join(t.TempDir(), "report")
	said := done(t, with("run", quickTasks, []string{"--calib-tokens=4096", "--drop=2.attn,4.attn,5.attn,8.attn", "--linear", "--generate=5",
		"--report", saved})...)
	out := strings.Join(strings.Fields(said), " ")
	for _, want := range []string{"linear: maps in the place of attentions", "linear maps in the place of 4 attentions"} {
		if !strings.Contains(out, want) {
			t.Errorf("output lacks %q", want)
		}
	}
	r, err := report.Read(saved)
	if err != nil {
		t.Fatal(err)
	}
	m, err := engine.Open(t.Context(), "demo", engine.Options{Device: "cpu"})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	drop, err := engine.ParseDrop("2.attn,4.attn,5.attn,8.attn")
	if err != nil {
		t.Fatal(err)
	}
	hidden := int64(m.Spec.Hidden)
	if without, _ := m.Size(drop); r.Repair == nil || len(r.Repair.Linear) != 4 || r.Size.ParametersPruned != without+4*(hidden*hidden+hidden) {
		t.Errorf("%+v, %d parameters; without the attentions %d", r.Repair, r.Size.ParametersPruned, without)
	}
}
