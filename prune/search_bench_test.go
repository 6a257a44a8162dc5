package prune

import (
	"os"
	"testing"

	"avssnative/avss"
	"avssnative/calib"
	"avssnative/engine"
	"avssnative/internal/need"
	"avssnative/tokenizer"
)

// worthSets are sets of 8 of SmolLM2's 30 layers: what scores choose, runs, and every other or third layer.
var worthSets = []string{
	"3,12,13,14,15,17,25,26", "3,4,5,12,13,14,25,26", "3,4,5,6,13,14,25,26", "11,12,13,14,15,16,17,18", "20,21,22,23,24,25,26,27",
	"6,7,8,9,10,11,12,13", "4,7,10,13,16,19,22,25", "12,13,14,15,16,17,25,26", "3,5,13,14,15,17,22,25", "3,9,12,14,17,20,23,26",
	"2,3,12,13,14,15,25,26", "13,14,15,21,22,23,24,25", "3,4,12,13,14,15,16,17", "12,14,16,18,20,22,24,26",
}

// BenchmarkWorthOfSets prints what sets of layers cost plain, with their gaps bridged, and refitted, and how well the former tell the latter. The
// model is the one that AVSSNATIVE_MODEL names; it takes minutes a set.
func BenchmarkWorthOfSets(b *testing.B) {
	path := os.Getenv("AVSSNATIVE_MODEL")
	if path == "" {
		need.Missing(b, "AVSSNATIVE_MODEL")
	}
	m, err := engine.Open(b.Context(), path, engine.Options{Device: "cpu"})
	if err != nil {
		b.Fatal(err)
	}
	defer m.Close()
	words, err := tokenizer.Open(m.Path())
	if err != nil {
		b.Fatal(err)
	}
	read := func(name string, tokens int) []engine.Sequence {
		text, err := calib.Read(b.Context(), m, words, calib.Options{Files: []string{need.Data(b, "eval/wikitext-2/"+name)}, Tokens: tokens, Length: 512})
		if err != nil {
			b.Fatal(err)
		}
		return text.Sequences
	}
	for b.Loop() {
		fit, held := read("valid.txt", 6144), read("test.txt", 4096)
		bridges := newGaps(&dense{model: m, text: fit[:6]})
		var plain, bridged, refitted []float64
		for _, text := range worthSets {
			drop, err := engine.ParseDrop(text)
			if err != nil {
				b.Fatal(err)
			}
			o := RepairOptions{Method: RepairRefit, Fit: fit, Held: held}
			r, err := Repair(b.Context(), m, drop, o)
			if err != nil {
				b.Fatal(err)
			}
			bridge, err := bridges.repair(drop)
			if err != nil {
				b.Fatal(err)
			}
			if err := bridges.solve(b.Context(), drop); err != nil {
				b.Fatal(err)
			}
			over, err := judge(b.Context(), m, []engine.Drop{nil, drop}, []*engine.Repair{nil, bridge}, []RepairMethod{"bridged"}, o)
			if err != nil {
				b.Fatal(err)
			}
			plain, bridged, refitted = append(plain, r.Trials[0].KL), append(bridged, over[0].KL), append(refitted, r.Trials[1].KL)
			b.Logf("%-26s plain %.4f, bridged %.4f, refitted %.4f", text, r.Trials[0].KL, over[0].KL, r.Trials[1].KL)
		}
		b.Logf("rank correlation with what refitting leaves: plain %.2f, bridged %.2f", avss.Spearman(plain, refitted), avss.Spearman(bridged, refitted))
	}
}
