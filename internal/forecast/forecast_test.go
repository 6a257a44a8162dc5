package forecast

import (
	"context"
	"errors"
	"math"
	"strings"
	"testing"

	"avssnative/engine"
	"avssnative/engine/device"
	"avssnative/failure"

	_ "avssnative/engine/weights/demo"
)

func foresee(ref, on string) func() (*engine.Model, error) {
	return func() (*engine.Model, error) {
		return engine.Foresee(context.Background(), ref, engine.Options{Device: on, Options: device.Options{Memory: 80e9}})
	}
}

// Models too large for any machine here, by their configurations alone: parameters as published, every weight read once, and the arithmetic of
// 2·tokens for every parameter that a token meets.
func TestShapesWithoutWeights(t *testing.T) {
	h100, err := FindMachine("h100-80g")
	if err != nil {
		t.Fatal(err)
	}
	for _, model := range []struct {
		name       string
		parameters float64
		active     float64 // that a token meets, embedding and head left out
	}{
		{"llama-70b", 70.6e9, 68.5e9},
		{"llama-405b", 405.9e9, 401.6e9},
		{"deepseek-671b", 671.0e9, 35.7e9},
	} {
		const tokens = 1024
		f, err := Make(context.Background(), foresee("testdata/"+model.name+".json", "null"), Job{Tokens: tokens, Length: 512, Read: 3e9, On: h100})
		if err != nil {
			t.Fatalf("%s: %v", model.name, err)
		}
		w := f.Walks[0]
		if off := float64(f.Parameters)/model.parameters - 1; math.Abs(off) > 0.01 {
			t.Errorf("%s: %d parameters, want %g", model.name, f.Parameters, model.parameters)
		}
		// Vectors are counted as float32, so a little more than the file is read.
		if w.Passes != 1 || float64(w.Read) < 0.99*float64(f.Bytes) || float64(w.Read) > 1.01*float64(f.Bytes) {
			t.Errorf("%s: %d passes read %d of %d bytes", model.name, w.Passes, w.Read, f.Bytes)
		}
		// Attention's own arithmetic and the measuring come on top: a few per cent at these lengths.
		if want := 2 * tokens * model.active; w.FLOPs < want || w.FLOPs > 1.15*want {
			t.Errorf("%s: %g operations, want %g and a little more", model.name, w.FLOPs, want)
		}
		if !w.Fits || w.Peak < 2*w.LargestOne || w.Limit != "reading" || w.Rows != int64(tokens*f.Layers) {
			t.Errorf("%s: %+v", model.name, w)
		}
	}
}

// The counts of a small model by hand: the demo's products are all there is but for what goes value by value.
func TestTheDemoIsCountedAsItIsComputed(t *testing.T) {
	job := Job{Tokens: 96, Length: 48, Read: 1, On: Machine{FLOPs: 1, Bandwidth: 1, Memory: 1 << 40}, Remove: true}
	f, err := Make(context.Background(), foresee("demo", "null"), job)
	if err != nil {
		t.Fatal(err)
	}
	m, err := foresee("demo", "null")()
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	scoring, removal := f.Walks[0], f.Walks[1]
	if n := int64(len(scoring.Launches)); n == 0 || scoring.Launches["attention"] != int64(m.Layers()) || scoring.Launches["measure"] != int64(m.Layers()) {
		t.Errorf("scoring launches %v", scoring.Launches)
	}
	if scoring.Launches["head"] != 0 || removal.Launches["head"] == 0 {
		t.Errorf("heads: %v and %v", scoring.Launches, removal.Launches)
	}
	// All single removals of L layers cost about L²/2 blocks.
	if l := int64(m.Layers()); removal.Rows <= 95*l*l/2 || removal.Rows >= 96*l*(l+2) {
		t.Errorf("removal of %d layers computes %d rows", l, removal.Rows)
	}
	// With little room the weights are read again and again.
	job.Hidden = 1
	again, err := Make(context.Background(), foresee("demo", "null"), job)
	if err != nil {
		t.Fatal(err)
	}
	if again.Walks[1].Passes <= 1 || again.Walks[1].Peak >= removal.Peak {
		t.Errorf("without room: %d passes, %d bytes, before %d", again.Walks[1].Passes, again.Walks[1].Peak, removal.Peak)
	}
	job.Shards = 2
	half, err := Make(context.Background(), foresee("demo", "null"), job)
	if err != nil || half.Walks[0].Sequences != 1 || half.Walks[0].Rows*2 != scoring.Rows {
		t.Errorf("half of it: %+v, %v", half, err)
	}
}

func TestWhatCannotBeForeseenIsAnError(t *testing.T) {
	if _, err := FindMachine("abacus"); !errors.Is(err, failure.NotFound) || !strings.Contains(err.Error(), "h100-80g") {
		t.Errorf("%v", err)
	}
	if _, err := Make(context.Background(), foresee("demo", "null"), Job{}); err == nil {
		t.Error("a job of nothing is foreseen")
	}
	if _, err := foresee("testdata/none.json", "null")(); err == nil || !strings.Contains(err.Error(), "none.json") {
		t.Errorf("%v", err)
	}
}
