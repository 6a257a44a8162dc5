package engine_test

import (
	"slices"
	"strconv"
	"testing"

	"avssnative/avss"
	"avssnative/bench/peers/yardstick"
	"avssnative/engine"
	"avssnative/engine/device"
	"avssnative/kernels/cpu"
)

// What a pass over a model of 12 layers × 768 (134 million random weights) reaches: tokens a second, and the share of what the processor's
// registers alone reach, measured in the same run. "%peak" is by the clock and all threads, so it shows waiting, and other programs; "%peak-cpu"
// is by processor time, which shows neither. With -short the model is small, to try the benchmarks themselves.
//
//	go test -run '^$' -bench Pass -count 6 ./engine | tee new.txt && go tool benchstat new.txt

func benchmarkShape() yardstick.Shape {
	if testing.Short() {
		return yardstick.Shapes["quick"]
	}
	return yardstick.Shapes["small"]
}

// benched is a random model on device cpu, and what its figures are held against.
type benched struct {
	shape yardstick.Shape
	model *engine.Model
	peak  yardstick.Peak
}

// eachCompute runs a benchmark in both precisions, each on weights stored in it.
func eachCompute(b *testing.B, bench func(b *testing.B, m *benched)) {
	for _, compute := range []device.Compute{device.ComputeF32, device.ComputeBF16} {
		b.Run("compute="+string(compute), func(b *testing.B) {
			m := &benched{shape: benchmarkShape()}
			folder, stored := b.TempDir(), "F32"
			if compute == device.ComputeBF16 {
				stored = "BF16"
			}
			if err := m.shape.Write(b.Context(), folder, stored); err != nil {
				b.Fatal(err)
			}
			var err error
			if m.model, err = engine.Open(b.Context(), folder, engine.Options{Device: "cpu", Options: device.Options{Compute: compute}}); err != nil {
				b.Fatal(err)
			}
			defer m.model.Close()
			d, err := m.model.Device()
			if err != nil {
				b.Fatal(err)
			}
			kernels, err := cpu.Open()
			if err != nil {
				b.Fatal(err)
			}
			m.peak = yardstick.MeasurePeak(kernels, d.Info().Threads, compute == device.ComputeBF16, 5)
			bench(b, m)
		})
	}
}

// sequences are count sequences of tokens tokens, of which the last scored ones are scored.
func (m *benched) sequences(count, tokens, scored int) []engine.Sequence {
	var all []engine.Sequence
	for _, ids := range m.shape.IDs(count, tokens) {
		all = append(all, engine.Sequence{IDs: ids, ScoreFrom: tokens - scored, ScoreTo: tokens})
	}
	return all
}

func (m *benched) run(b *testing.B, p engine.Pass) *engine.Outcome {
	b.Helper()
	o, err := m.model.Run(b.Context(), p)
	if err != nil {
		b.Fatal(err)
	}
	return o
}

// measure runs a pass over and over and reports what it reaches; the first run, in which weights come from the disk, does not count.
func (m *benched) measure(b *testing.B, p engine.Pass, tokens int, flops float64) {
	b.Helper()
	m.run(b, p)
	used := yardstick.ProcessorTime()
	for b.Loop() {
		m.run(b, p)
	}
	used = yardstick.ProcessorTime() - used
	rate := flops * float64(b.N) / b.Elapsed().Seconds()
	b.ReportMetric(float64(tokens*b.N)/b.Elapsed().Seconds(), "tokens/s")
	b.ReportMetric(rate/1e9, "GFLOP/s")
	b.ReportMetric(100*rate/m.peak.Clock, "%peak")
	if m.peak.Thread > 0 && used > 0 {
		b.ReportMetric(100*flops*float64(b.N)/used.Seconds()/m.peak.Thread, "%peak-cpu")
	}
}

// BenchmarkPass is one sequence through the whole model, every token of it scored.
func BenchmarkPass(b *testing.B) {
	eachCompute(b, func(b *testing.B, m *benched) {
		for _, tokens := range []int{512, 2048} {
			b.Run("tokens="+strconv.Itoa(tokens), func(b *testing.B) {
				p := engine.Pass{Sequences: m.sequences(1, tokens, tokens-1)}
				m.measure(b, p, tokens, m.shape.Flops(tokens, m.shape.Layers, tokens-1))
			})
		}
	})
}

// BenchmarkPassObserved is what it costs to measure everything at every site: passes with and without all activation metrics in turn, the
// head on one row a sequence. "%cost" is the median over the pairs of how much longer the observed pass takes, in processor time.
func BenchmarkPassObserved(b *testing.B) {
	eachCompute(b, func(b *testing.B, m *benched) {
		const count, tokens = 4, 512
		b.Run("sequences="+strconv.Itoa(count)+"/tokens="+strconv.Itoa(tokens), func(b *testing.B) {
			bare := engine.Pass{Sequences: m.sequences(count, tokens, 1)}
			m.run(b, bare)
			timed := func(p engine.Pass) float64 {
				before := yardstick.ProcessorTime()
				m.run(b, p)
				return (yardstick.ProcessorTime() - before).Seconds()
			}
			var ratios []float64
			for b.Loop() {
				observed := bare
				for _, d := range avss.Metrics(avss.Activation) {
					observed.Observe = append(observed.Observe, d.New(d, avss.Options{}))
				}
				without := timed(bare)
				ratios = append(ratios, timed(observed)/without)
			}
			slices.Sort(ratios)
			b.ReportMetric(100*(ratios[len(ratios)/2]-1), "%cost")
			b.ReportMetric(float64(2*count*tokens*b.N)/b.Elapsed().Seconds(), "tokens/s")
		})
	})
}

// BenchmarkPassRemoval is the loss of the whole model and of every model that lacks one layer, in one pass. "blocks" is how often a layer
// was applied, "blocks-alone" how often it would have been, model by model; the share of the peak counts what was applied.
func BenchmarkPassRemoval(b *testing.B) {
	eachCompute(b, func(b *testing.B, m *benched) {
		const tokens = 512
		b.Run("tokens="+strconv.Itoa(tokens), func(b *testing.B) {
			p := engine.Pass{Sequences: m.sequences(1, tokens, tokens-1), Variants: []engine.Drop{nil}}
			for layer := range m.shape.Layers {
				p.Variants = append(p.Variants, engine.Layers(layer))
			}
			o := m.run(b, p)
			m.measure(b, p, tokens*len(p.Variants), m.shape.Flops(tokens, o.Blocks, len(p.Variants)*(tokens-1)))
			b.ReportMetric(float64(o.Blocks), "blocks")
			b.ReportMetric(float64(o.Alone), "blocks-alone")
		})
	})
}
