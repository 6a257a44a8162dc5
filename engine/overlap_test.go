package engine_test

import (
	"math"
	"strings"
	"testing"

	"avssnative/engine"
)

// softmax of logits at a temperature, in float64.
func softmax(logits []float32, temperature float64) []float64 {
	p, sum := make([]float64, len(logits)), 0.0
	for i, v := range logits {
		p[i] = math.Exp(float64(v) / temperature)
		sum += p[i]
	}
	for i := range p {
		p[i] /= sum
	}
	return p
}

// What distributions have in common, read from one walk of all variants, is what the whole logits of each say, on every device, with a capped
// and scaled head too, and however little memory there is for the walk.
func TestOverlap(t *testing.T) {
	ids := random(41, 12, 90)
	drops := []engine.Drop{nil, engine.Layers(1), engine.Units(engine.Unit{Layer: 0, Part: engine.MLP}), engine.Layers(0, 2)}
	for _, on := range devices() {
		for _, family := range []string{"llama", "gemma2", "cohere", "gpt2"} {
			m := open(t, "testdata/architectures/"+family, on)
			for _, temperature := range []float64{0.5, 1, 2} {
				pass := engine.Pass{Sequences: []engine.Sequence{{IDs: ids, ScoreFrom: 3, ScoreTo: 12}}, Variants: drops, Diverge: true, Overlap: temperature}
				together := run(t, m, pass)
				pass.Memory = 1
				apart := run(t, m, pass)
				dense := uncached(t, m, ids, nil)
				for v, drop := range drops {
					want := 0.0
					for row, logits := range uncached(t, m, ids, drop)[2:11] {
						p, q := softmax(dense[row+2], temperature), softmax(logits, temperature)
						for i := range p {
							want += min(p[i], q[i])
						}
					}
					got := together.Scores[v][0].Overlap
					if !(math.Abs(got-want) <= 2e-3*want) {
						t.Errorf("%s on %s without %s at %v: %v, want %v", family, on, drop, temperature, got, want)
					}
					if again := apart.Scores[v][0].Overlap; again != got {
						t.Errorf("%s on %s without %s at %v: %v in one walk, %v in several", family, on, drop, temperature, got, again)
					}
				}
			}
		}
	}
	m := open(t, "testdata/architectures/llama", "cpu")
	for _, p := range []engine.Pass{{Overlap: 1}, {Overlap: -1, Diverge: true}, {Overlap: math.NaN(), Diverge: true}} {
		p.Sequences = []engine.Sequence{{IDs: ids, ScoreFrom: 3, ScoreTo: 12}}
		if _, err := m.Run(t.Context(), p); err == nil || !strings.Contains(err.Error(), "overlap at a temperature") {
			t.Errorf("%+v: %v", p, err)
		}
	}
}
