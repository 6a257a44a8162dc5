package prune

import (
	"errors"
	"math"
	"strings"
	"testing"
)

func TestParseTarget(t *testing.T) {
	for text, want := range map[string]Target{
		"kl 0.1":                {TargetKL, 0.1, 0, "kl 0.1"},
		" kl  .25 ":             {TargetKL, 0.25, 0, "kl .25"},
		"retention 95%":         {TargetRetention, 0.95, 0, "retention 95%"},
		"memory 12GiB ctx 8192": {TargetMemory, 12 << 30, 8192, "memory 12GiB ctx 8192"},
		"memory 1.5MiB":         {TargetMemory, 3 << 19, 0, "memory 1.5MiB"},
		"memory 4096":           {TargetMemory, 4096, 0, "memory 4096"},
		"speed 1.3x":            {TargetSpeed, 1.3, 0, "speed 1.3x"},
	} {
		if got, err := ParseTarget(text); err != nil || got != want {
			t.Errorf("%q: %+v %v, want %+v", text, got, err, want)
		}
	}
	for _, text := range []string{"", "kl", "kl 0", "kl -1", "kl 0.1x", "kl 0.1 ctx 5", "kl NaN", "retention 95", "retention 101%", "memory 12GB", "memory 0",
		"memory 9999999999TiB", "memory 1GiB ctx 0", "memory 1GiB ctx", "speed 1.3", "speed 1x", "speed 0.5x", "perplexity 3", "25%"} {
		if got, err := ParseTarget(text); err == nil || !strings.Contains(err.Error(), wantTarget) {
			t.Errorf("%q: %+v %v", text, got, err)
		}
	}
}

// Whatever the curve, the count is the one that trying all of them in turn would find.
func TestSolve(t *testing.T) {
	falls := func(n int) float64 { return 1 - 0.03*float64(n) }
	grows := func(n int) float64 { return 0.02 * float64(n*n) }
	for _, text := range []string{"kl 0.1", "kl 0.019", "kl 3", "kl 1000", "retention 95%", "retention 99%", "retention 1%", "memory 500", "memory 2000", "memory 9",
		"speed 1.2x", "speed 5x"} {
		target, err := ParseTarget(text)
		if err != nil {
			t.Fatal(err)
		}
		measure := map[TargetKind]func(int) float64{TargetKL: grows, TargetRetention: falls, TargetSpeed: func(n int) float64 { return 1 + 0.05*float64(n) },
			TargetMemory: func(n int) float64 { return 1000 * falls(n) }}[target.Kind]
		for most := 1; most <= 29; most++ {
			want := 0
			for n := 1; n <= most; n++ {
				if target.Holds(measure(n)) && (target.most() || want == 0) {
					want = n
				}
			}
			got, err := target.Solve(most, func(n int) (float64, error) {
				if n < 1 || n > most {
					t.Fatalf("%s: measured %d of %d", text, n, most)
				}
				return measure(n), nil
			})
			var unmet *Unmet
			switch {
			case want == 0:
				if !errors.As(err, &unmet) || !strings.Contains(err.Error(), "the most that can go is") {
					t.Errorf("%s of %d: %+v %v", text, most, got, err)
				}
			case err != nil || got.Count != want || got.Value != measure(want):
				t.Errorf("%s of %d: %+v %v, want %d", text, most, got, err, want)
			case len(got.Tried) > 6:
				t.Errorf("%s of %d: measured %d times", text, most, len(got.Tried))
			}
		}
	}
	target, _ := ParseTarget("kl 1")
	if _, err := target.Solve(0, nil); err == nil {
		t.Error("nothing may go")
	}
	if _, err := target.Solve(3, func(int) (float64, error) { return math.NaN(), nil }); err == nil {
		t.Error("nothing to measure by")
	}
	broken := errors.New("broken")
	if _, err := target.Solve(3, func(int) (float64, error) { return 0, broken }); !errors.Is(err, broken) {
		t.Error(err)
	}
}
