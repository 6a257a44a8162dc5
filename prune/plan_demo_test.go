package prune

import (
	"context"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"avssnative/avss"
	"avssnative/engine"
	"avssnative/internal/need"
	"avssnative/internal/smallworld"
	"avssnative/tokenizer"

	"avssnative/engine/device"
	"github.com/google/go-cmp/cmp"
)

// What the metrics choose on the demo's model and calibration text, a quarter of 16 layers: the choices that were found, with another
// program, to keep what the model can do (12 to 15) and to lose it (the others), and the warning about the latter.
func TestChoicesOnTheDemo(t *testing.T) {
	on := "cpu"
	if !slices.Contains(device.Kinds(), on) {
		need.Missing(t, "device cpu")
	}
	folder := filepath.Join(need.Root(), "internal", "demo", "model")
	words, err := tokenizer.Open(folder)
	if err != nil {
		t.Fatal(err)
	}
	bos, _ := words.BOS()
	var p engine.Pass
	for i, text := range strings.Split(string(smallworld.Calibration()), smallworld.EndOfText) {
		if i%6 != 0 || strings.TrimSpace(text) == "" {
			continue
		}
		ids, err := words.Encode(strings.TrimSpace(text), false)
		if err != nil {
			t.Fatal(err)
		}
		p.Sequences = append(p.Sequences, engine.Sequence{IDs: append([]int32{bos}, ids...)})
	}
	m, err := engine.Open(context.Background(), folder, engine.Options{Device: on})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	metrics := map[string]avss.Metric{}
	for _, name := range []string{"avss", "relmag", "l2", "angular"} {
		metric, err := avss.New(name, avss.Options{})
		if err != nil {
			t.Fatal(err)
		}
		metrics[name] = metric
		p.Observe = append(p.Observe, metric)
	}
	if _, err := m.Run(context.Background(), p); err != nil {
		t.Fatal(err)
	}
	paper := func(site avss.Site) func() (avss.Scores, error) {
		return func() (avss.Scores, error) { return metrics["avss"].(*avss.AVSS).Of(avss.Paper, site, 1e-2) }
	}
	for name, c := range map[string]struct {
		scores func() (avss.Scores, error)
		want   []int
		trap   bool
	}{
		"robust delta":            {metrics["avss"].Scores, []int{12, 13, 14, 15}, false},
		"relative magnitude":      {metrics["relmag"].Scores, []int{12, 13, 14, 15}, false},
		"angular":                 {metrics["angular"].Scores, []int{12, 13, 14, 15}, false},
		"l2":                      {metrics["l2"].Scores, []int{1, 3, 4, 5}, false},
		"paper's formula, delta":  {paper(avss.SiteDelta), []int{1, 3, 4, 5}, false},
		"paper's formula, blocks": {paper(avss.SiteBlock), []int{0, 1, 2, 3}, true},
	} {
		scores, err := c.scores()
		if err != nil {
			t.Fatal(err)
		}
		plan, err := Choose(scores, rule(t, "25%"), Protect{})
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(c.want, plan.Dropped); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
		if trap := slices.ContainsFunc(plan.Warnings, func(w string) bool { return strings.Contains(w, "rise with depth") }); trap != c.trap {
			t.Errorf("%s: warnings %q", name, plan.Warnings)
		}
	}
}
