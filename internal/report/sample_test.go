package report

import (
	"math"
	"time"

	"avssnative/avss"
	"avssnative/prune"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// sample is a report with every part, of a model with `layers` layers.
func sample(layers int) *Report {
	pruned, said := Figure{0.5, 0.02}, "went went went"
	r := &Report{
		Schema: Schema, Tool: avss.ToolInfo{Name: "avssnative", Version: "0"}, Created: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC),
		Command: []string{"avssnative", "run"},
		Model: avss.ModelInfo{Ref: "a <b>&model", Architecture: "llama", Layers: layers, Hidden: 8, Parameters: 12345678, Bytes: 1 << 25,
			SHA256: "ab"},
		Device:      Device{Name: "cpu", ISA: "avx2", Threads: 2, Compute: "f32"},
		Calibration: &avss.CalibrationInfo{Source: "text", SHA256: "cd", Sequences: 3, Tokens: 99},
		Scores:      map[string]avss.Scores{},
		Tasks: Tasks{{Name: "zeta", Version: "1", N: 9, Metric: "acc", Chance: 0.25, Dense: Figure{0, 0.01}, Pruned: &pruned,
			Change: &Change{Retention: avss.Value(math.NaN()), P: 0.2, Test: "McNemar", Flips: 0.25}},
			{Name: "alpha", Version: "1", N: 9, Metric: "word_perplexity", Convention: "chunk-2048", Dense: Figure{12, 0.01}, Pruned: &pruned,
				Change: &Change{Retention: 0.9, P: 1e-9, KL: 0.1, SameTop: 0.5, Flips: avss.Value(math.NaN())}}},
		Retention:  &Retention{MeanOfRatios: 0.9, MeanOfCorrected: 0.8, RatioOfMeans: 0.7},
		Divergence: &Divergence{KL: 0.5, SameTop: 0.7, Tokens: 12},
		Size:       &Size{100, 80, 400, 320},
		Speed: &Speed{TokensPerSecondDense: 10, TokensPerSecondPruned: 12, GeneratedPerSecondDense: 2, GeneratedPerSecondPruned: 3,
			CacheTokens: 512, CacheBytesDense: 4096, CacheBytesPruned: 3072, Seconds: Phases{{"scoring", 1.5}, {"judging", 2}, {"again", 0.25}},
			PeakRSS: 1 << 20},
		Generation: []Generation{{Prompt: "They", Dense: "went home.", Pruned: &said, Repeats: 0.5}},
		Fluency: &Fluencies{Dense: Fluency{Texts: 1, Tokens: 4, Distinct1: 1, Distinct2: 1, Distinct3: 1, Scripts: map[string]float64{"Latin": 1}},
			Pruned: &Fluency{Texts: 1, Tokens: 9.5, Repeats: 0.5, Distinct1: 0.25, Distinct2: 0.5, Distinct3: 0.5,
				Scripts: map[string]float64{"Latin": 0.75, "Han": 0.25}, OtherScript: 1}},
		References: avss.Bibliography("avss", "bi"),
		Output:     "pruned",
		Warnings:   []string{"mind the gap"},
	}
	rising, mixed, infinite := make(avss.Values, layers), make(avss.Values, layers), make(avss.Values, layers)
	for l := range layers {
		rising[l], mixed[l], infinite[l] = math.Exp(float64(l)), 0.1+math.Abs(math.Sin(float64(l))), math.Inf(1)
		r.Layers = append(r.Layers, avss.LayerRow{Index: l, Sites: map[string]avss.SiteSummary{
			"delta": {N: 5, Variance: avss.Value(l), RelativeVariance: avss.Value(mixed[l]), RelativeSparsity: 0.1, Eps: avss.Values{1e-5},
				Sparsity: avss.Values{0}},
			"block": {N: 5, Variance: avss.Value(rising[l]), RelativeVariance: 1, RelativeSparsity: 0.01}}})
	}
	if layers > 1 {
		infinite[1] = 3e9
	}
	add := func(s avss.Scores, values avss.Values) {
		s.Values, s.Tau = values, 0.5
		for _, v := range values {
			s.Low, s.High = append(s.Low, v*0.9), append(s.High, v*1.1)
		}
		r.Scores[s.Key()] = s
	}
	add(avss.Scores{Metric: "avss", Mode: "robust", Site: "delta"}, mixed)
	add(avss.Scores{Metric: "avss", Mode: "paper", Site: "block", Notes: []string{"layers are infinite"}}, infinite)
	add(avss.Scores{Metric: "bi"}, rising)
	drop := []int{0}
	var kept []int
	for l := 1; l < layers; l++ {
		kept = append(kept, l)
	}
	r.Plan = &prune.Plan{Metric: "avss", Rule: "25%", Dropped: drop, Kept: kept, Warnings: []string{"layer 0 goes"}}
	r.Others = []prune.Plan{{Metric: "bi", Rule: "1", Dropped: drop, Kept: kept, Warnings: []string{}}}
	best := 1
	r.Texts = &Texts{Metric: "avss", Best: &best, Bridged: true, Chosen: ByJoint, Texts: []CalibrationText{
		{CalibrationInfo: avss.CalibrationInfo{Source: "somewhere/else/a.txt", SHA256: "ef", Sequences: 2, Tokens: 50}, Dropped: drop, Weighed: 12},
		{CalibrationInfo: avss.CalibrationInfo{Source: "demo", SHA256: "01", Sequences: 1, Tokens: 49}, Dropped: []int{layers - 1}, Weighed: 11,
			Scores: map[string]avss.Scores{"bi": r.Scores["bi"]}}},
		Sets: []TextSet{{By: []string{AllTexts, "somewhere/else/a.txt"}, Dropped: drop, Costs: avss.Values{0.1, 0.5}, Worst: 0.5},
			{By: []string{"demo"}, Dropped: []int{layers - 1}, Costs: avss.Values{0.25, 0.125}, Worst: 0.25}}}
	r.Settled = &Settled{Metric: "avss", Level: 0.05, Settled: true, Blocks: []SettledBlock{
		{Tokens: 40, Sequences: 2, Dropped: drop, Probability: avss.Value(math.NaN()), High: 1},
		{Tokens: 99, Sequences: 3, Dropped: drop, Probability: 0.012, Low: 0.006, High: 0.021}}}
	point := func(metric string, count int) SweepPoint {
		count = min(count, layers)
		return SweepPoint{Metric: metric, Count: count, Share: float64(count) / float64(layers), Dropped: drop,
			Retention: Retention{MeanOfRatios: 0.9, MeanOfCorrected: 0.9, RatioOfMeans: 0.9}, Divergence: Divergence{KL: 0.01 * float64(count), Tokens: 9,
				Stderr: 0.001},
			Tasks:      []TaskPoint{{Name: "alpha", Metric: "word_perplexity", Convention: "chunk-2048", Value: avss.Value(10 * count), Retention: 0.9}},
			Parameters: 12, TokensPerSecond: 3, Generated: 1.5, CacheBytes: 2048, Says: []string{"went <b>on</b>\n"}}
	}
	dense := point("dense", 0)
	dense.Dropped, dense.Retention, dense.Tasks[0].Value, dense.Bytes = []int{}, Retention{MeanOfRatios: 1, MeanOfCorrected: 1, RatioOfMeans: 1}, 9,
		1<<25
	dense.Says = []string{"went home."}
	r.Alternatives = []Alternative{{Name: "Q8_0", Tensors: map[string]int{"Q8_0": 8}, Bytes: 200, Divergence: &Divergence{KL: 0.001, SameTop: 0.99,
		Tokens: 9},
		Retention: &Retention{MeanOfRatios: 0.99, MeanOfCorrected: 0.98, RatioOfMeans: 0.99}}, {Name: "Q4_K", Unmeasured: "no tensor would become smaller"}}
	r.Tasks[0].Answers = &Answers{Choices: []string{"no", "yes"}, Right: avss.Values{0.5, 0.5}, Dense: avss.Values{0.25, 0.75},
		Pruned:         avss.Values{0, 1},
		ConstantPruned: `"yes"`}
	r.Sweep = &Sweep{Layers: layers, Dense: &dense, Prompts: []string{"They"},
		Points:  []SweepPoint{point("avss", 1), point("avss", 2), point("first", 1), point("random-0", 1), point("random-1", 1)},
		Metrics: []string{"avss", "bi"}, Tau: []avss.Values{{1, 0.5}, {0.5, 1}}, Passes: 1, PassesAlone: 5,
		Blocks: 10, BlocksAlone: 50, Seconds: 1, SecondsAlone: 4}
	return r
}

// same compares reports; NaN equals NaN.
func same(a, b any) string {
	values := cmp.Comparer(func(a, b avss.Value) bool {
		return a == b || math.IsNaN(float64(a)) && math.IsNaN(float64(b))
	})
	return cmp.Diff(a, b, values, cmpopts.EquateNaNs(), cmpopts.EquateEmpty())
}
