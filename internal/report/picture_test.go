package report

import (
	"strings"
	"testing"
)

func TestAxes(t *testing.T) {
	for _, c := range []struct{ low, high float64 }{{0, 1}, {-3, 7}, {0.001, 0.0042}, {5e8, 2e9}, {99, 101}, {1e-9, 2e-9}} {
		ticks := steps(c.low, c.high)
		if len(ticks) < 2 || len(ticks) > 7 {
			t.Errorf("%v: %d ticks", c, len(ticks))
		}
		for _, tick := range ticks {
			if tick.Value < c.low-1e-9*c.high || tick.Value > c.high*(1+1e-9) || strings.HasPrefix(tick.Label, "-0") && tick.Value == 0 {
				t.Errorf("%v: %v", c, tick)
			}
		}
	}
	labels := 0
	for _, tick := range decades(0.15, 118) {
		if tick.Label != "" {
			labels++
		}
	}
	if labels < 3 || len(decades(0, 1)) != 0 {
		t.Errorf("%d labels", labels)
	}
}
