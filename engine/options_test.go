package engine_test

import (
	"slices"
	"testing"

	"avssnative/engine"
	"avssnative/engine/device"
)

// The zero value of an Options is what somebody would have written who asks for nothing.
func TestZeroOptions(t *testing.T) {
	sequence := engine.Sequence{IDs: []int32{1, 20, 300, 40, 5}, ScoreFrom: 1, ScoreTo: 5}
	var scores []engine.Score
	var logits [][]float32
	for _, o := range []struct {
		open    engine.Options
		pass    engine.Pass
		decoder engine.DecoderOptions
	}{
		{},
		{engine.Options{Device: "auto", Options: device.Options{Compute: device.ComputeAuto}},
			engine.Pass{Variants: []engine.Drop{nil}, Eps: device.DefaultEps,
				Relative: device.DefaultRelative}, engine.DecoderOptions{Variants: []engine.Drop{nil}, Slots: 1, Length: 512}},
	} {
		m, err := engine.Open(t.Context(), "demo", o.open)
		if err != nil {
			t.Fatal(err)
		}
		defer m.Close()
		o.pass.Sequences = []engine.Sequence{sequence}
		scores = append(scores, run(t, m, o.pass).Scores[0][0].Score)
		d, err := m.NewDecoder(o.decoder)
		if err != nil {
			t.Fatal(err)
		}
		said, err := d.Start(t.Context(), []engine.Prompt{{IDs: sequence.IDs}})
		if err != nil {
			t.Fatal(err)
		}
		logits = append(logits, slices.Clone(said[0][0]))
		d.Close()
	}
	if scores[0] != scores[1] || scores[0].Tokens != 4 {
		t.Errorf("scores %+v, want %+v", scores[0], scores[1])
	}
	if !slices.Equal(logits[0], logits[1]) || len(logits[0]) == 0 {
		t.Errorf("%d logits are others than those %d", len(logits[0]), len(logits[1]))
	}
}
