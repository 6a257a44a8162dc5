package avss_test

import (
	"context"
	"math"
	"testing"

	"avssnative/avss"
	"avssnative/engine"
	_ "avssnative/engine/cpu"
	"avssnative/engine/device"
)

// Halves of layers are measured as layers are: each half's numbers come from the stream in front of it and behind it, so what two halves add
// is what their layer adds, and a removal of both is the layer's.
func TestHalves(t *testing.T) {
	m, err := engine.Open(context.Background(), "../engine/testdata/architectures/llama", engine.Options{Device: "cpu"})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	var text []engine.Sequence
	for i := range 6 {
		s := engine.Sequence{ScoreFrom: 1, ScoreTo: 12}
		for k := range 12 {
			s.IDs = append(s.IDs, int32((17*i+5*k*k+3)%97))
		}
		text = append(text, s)
	}
	r := avss.Halves(m)
	if r.Layers() != 6 {
		t.Fatalf("%d halves, want 6", r.Layers())
	}
	whole, half := &shown{}, &shown{}
	if _, err := m.Run(context.Background(), engine.Pass{Sequences: text, Observe: []engine.Observer{whole}}); err != nil {
		t.Fatal(err)
	}
	var metrics []avss.Metric
	p := engine.Pass{Sequences: text, Observe: []engine.Observer{half}}
	for _, d := range avss.Metrics(avss.Activation) {
		metrics = append(metrics, d.New(d, avss.Options{Batch: 2, Halves: true}))
		p.Observe = append(p.Observe, metrics[len(metrics)-1])
	}
	if _, err := r.Run(context.Background(), p); err != nil {
		t.Fatal(err)
	}
	if len(half.seen) != 2*len(whole.seen) {
		t.Fatalf("%d measurements of halves, %d of layers", len(half.seen), len(whole.seen))
	}
	for i := range whole.seen {
		// Half by half, within a half sequence by sequence.
		l, s := i/len(text), i%len(text)
		attn, mlp := half.seen[2*l*len(text)+s], half.seen[(2*l+1)*len(text)+s]
		if attn.Layer != 2*l || mlp.Layer != 2*l+1 || attn.Layers != 6 {
			t.Fatalf("halves %d and %d of %d, want %d and %d of 6", attn.Layer, mlp.Layer, attn.Layers, 2*l, 2*l+1)
		}
		for k := range whole.seen[i].Input {
			if attn.Input[k] != whole.seen[i].Input[k] || mlp.Input[k] != attn.Output[k] || mlp.Output[k] != whole.seen[i].Output[k] {
				t.Fatalf("layer %d, sequence %d: the stream through its halves is not the stream through the layer", l, s)
			}
		}
		same := func(what string, got, want float64) {
			if math.Abs(got-want) > 1e-5*(1+math.Abs(want)) {
				t.Errorf("layer %d, sequence %d: %s %g, the layer's site has %g", l, s, what, got, want)
			}
		}
		same("attention", attn.Sites[device.SiteDelta].Sum2, whole.seen[i].Sites[device.SiteAttn].Sum2)
		same("MLP", mlp.Sites[device.SiteDelta].Sum2, whole.seen[i].Sites[device.SiteMLP].Sum2)
	}
	for _, metric := range metrics {
		scores, err := metric.Scores()
		if err != nil {
			t.Fatal(err)
		}
		if len(scores.Values) != 6 {
			t.Errorf("%s: %d scores, want 6", scores.Key(), len(scores.Values))
		}
		if several, ok := metric.(avss.Several); ok {
			further, err := several.Further()
			if err != nil {
				t.Fatal(err)
			}
			for _, s := range further {
				if s.Site != "delta" && s.Site != "block" {
					t.Errorf("%s: a half has no such site", s.Key())
				}
			}
		}
	}
	losses, err := avss.MeasureRemoval(context.Background(), r, engine.Pass{Sequences: text}, avss.Options{})
	if err != nil {
		t.Fatal(err)
	}
	_, without, err := losses.Loss()
	if err != nil || len(without) != 6 {
		t.Fatalf("%d losses, want 6: %v", len(without), err)
	}
	one, err := m.Run(context.Background(), engine.Pass{Sequences: text, Variants: []engine.Drop{{{Layer: 1, Part: engine.MLP}}}})
	if err != nil {
		t.Fatal(err)
	}
	var sum float64
	tokens := 0
	for _, s := range one.Scores[0] {
		sum, tokens = sum-s.LogLikelihood, tokens+s.Tokens
	}
	if want := sum / float64(tokens); math.Abs(without[3]-want) > 1e-12 {
		t.Errorf("loss without half 3: %v, without 1.mlp %v", without[3], want)
	}
}

// shown keeps what an observer is shown.
type shown struct{ seen []engine.Measurement }

func (*shown) Wants() engine.Wants { return engine.Wants{Last: true} }

func (s *shown) Observe(m *engine.Measurement) error {
	kept := *m
	kept.Input, kept.Output = append([]float32{}, m.Input...), append([]float32{}, m.Output...)
	s.seen = append(s.seen, kept)
	return nil
}
