package avss

import (
	"math"
	"math/rand/v2"

	"avssnative/engine"
	"avssnative/engine/device"
)

// sequenceOf is one sequence's activations in all layers: [layer][site][token][column]; sites delta and block follow from x.
type sequenceOf struct {
	residual [][][]float64 // [layer+1][token][hidden]
	attn     [][][]float64
	act      [][][]float64
}

// randomSequence draws one; layers in noop add nothing.
func randomSequence(random *rand.Rand, layers, tokens, hidden int, noop ...int) sequenceOf {
	rows := func(scale float64) [][]float64 {
		out := make([][]float64, tokens)
		for t := range out {
			for range hidden {
				out[t] = append(out[t], float64(float32(random.NormFloat64()*scale)))
			}
		}
		return out
	}
	s := sequenceOf{residual: [][][]float64{rows(1)}}
	for l := range layers {
		scale := 0.1 + 0.1*float64(l)
		for _, n := range noop {
			if n == l {
				scale = 0
			}
		}
		added, before := rows(scale), s.residual[l]
		next := make([][]float64, tokens)
		for t := range next {
			for c := range hidden {
				next[t] = append(next[t], float64(float32(before[t][c]+added[t][c])))
			}
		}
		s.residual = append(s.residual, next)
		s.attn = append(s.attn, rows(scale/2))
		s.act = append(s.act, rows(1))
	}
	return s
}

// measure is what a device would find, by the definitions and nothing else.
func (s *sequenceOf) measure(layer int, eps []float32, relative float32) device.SequenceMeasure {
	x, y := s.residual[layer], s.residual[layer+1]
	out := device.SequenceMeasure{Tokens: len(x)}
	delta, mlp := make([][]float64, len(x)), make([][]float64, len(x))
	for t := range x {
		for c := range x[t] {
			delta[t] = append(delta[t], y[t][c]-x[t][c])
			mlp[t] = append(mlp[t], y[t][c]-x[t][c]-s.attn[layer][t][c])
		}
		dot, distance := 0.0, 0.0
		for c := range x[t] {
			dot += x[t][c] * y[t][c]
			distance += (y[t][c] - x[t][c]) * (y[t][c] - x[t][c])
		}
		out.Pairs.Cosine += dot / (length(x[t]) * length(y[t]))
		out.Pairs.Distance += math.Sqrt(distance)
		out.Pairs.Relative += math.Sqrt(distance) / length(y[t])
	}
	for site, values := range map[device.Site][][]float64{
		device.SiteBlock: y, device.SiteDelta: delta, device.SiteAttn: s.attn[layer], device.SiteMLP: mlp, device.SiteAct: s.act[layer]} {
		stream := y
		if site == device.SiteAct {
			stream = values
		}
		out.Sites[site] = momentsOf(values, stream, eps, relative)
	}
	return out
}

func length(row []float64) float64 {
	sum := 0.0
	for _, v := range row {
		sum += v * v
	}
	return math.Sqrt(sum)
}

func momentsOf(values, stream [][]float64, eps []float32, relative float32) device.Moments {
	m := device.Moments{Min: math.Inf(1), Max: math.Inf(-1)}
	pooled := make([]float64, len(values[0]))
	for t, row := range values {
		rms := length(stream[t]) / math.Sqrt(float64(len(stream[t])))
		for c, v := range row {
			m.N++
			m.Sum += v
			m.Sum2 += v * v
			m.Sum3 += v * v * v
			m.Sum4 += v * v * v * v
			m.SumAbs += math.Abs(v)
			m.Min, m.Max = math.Min(m.Min, v), math.Max(m.Max, v)
			m.RelativeSum += v / rms
			m.RelativeSum2 += v / rms * (v / rms)
			if math.Abs(v/rms) < float64(relative) {
				m.RelativeBelow++
			}
			for i, e := range eps {
				if math.Abs(v) < float64(e) {
					m.Below[i]++
				}
			}
			if math.IsNaN(v) {
				m.NaN++
			}
			if math.IsInf(v, 0) {
				m.Inf++
			}
			pooled[c] += v / float64(len(values))
		}
	}
	mean := 0.0
	for _, v := range pooled {
		mean += v / float64(len(pooled))
	}
	for _, v := range pooled {
		m.PooledVariance += (v - mean) * (v - mean) / float64(len(pooled)-1)
	}
	return m
}

var sites = []Site{SiteBlock, SiteDelta, SiteAttn, SiteMLP, SiteAct}

// walk shows sequences to metrics as a pass does.
func walk(sequences []sequenceOf, metrics ...Metric) error {
	layers := len(sequences[0].residual) - 1
	for layer := range layers {
		if err := walkLayer(sequences, layer, metrics...); err != nil {
			return err
		}
	}
	return nil
}

func walkLayer(sequences []sequenceOf, layer int, metrics ...Metric) error {
	layers := len(sequences[0].residual) - 1
	for i := range sequences {
		s := &sequences[i]
		m := &engine.Measurement{Layer: layer, Layers: layers, Sequence: i, SequenceMeasure: s.measure(layer, device.DefaultEps, device.DefaultRelative),
			Eps: device.DefaultEps, Relative: device.DefaultRelative}
		last := len(s.residual[layer]) - 1
		m.Input, m.Output = narrow(s.residual[layer][last]), narrow(s.residual[layer+1][last])
		for _, metric := range metrics {
			if err := metric.Observe(m); err != nil {
				return err
			}
		}
	}
	return nil
}

func narrow(row []float64) []float32 {
	out := make([]float32, len(row))
	for i, v := range row {
		out[i] = float32(v)
	}
	return out
}

// testOptions measure everything.
func testOptions(offset int) Options {
	o := Options{}
	o.Offset, o.Batch, o.Resamples = int64(offset), 3, 50
	return o
}

// everyMetric makes one of each activation metric.
func everyMetric(offset int) []Metric {
	var out []Metric
	for _, d := range Metrics(Activation) {
		out = append(out, d.New(d, testOptions(offset)))
	}
	return out
}

func randomSequences(seed uint64, count, layers int, noop ...int) []sequenceOf {
	random := rand.New(rand.NewPCG(seed, 1))
	out := make([]sequenceOf, count)
	for i := range out {
		out[i] = randomSequence(random, layers, 2+i%4, 8, noop...)
	}
	return out
}
