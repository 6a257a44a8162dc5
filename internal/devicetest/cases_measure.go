package devicetest

import (
	"fmt"
	"math"

	"avssnative/engine/device"
)

func measureCases() []testCase {
	var cases []testCase
	for _, cols := range []int{1, 2, 7, 16, 65, 200, 1030} {
		cases = append(cases, measureCase("x=grid", zeroed(grid), mixed, cols, true))
	}
	cases = append(cases,
		measureCase("x=grid", grid, long, 24, true),
		measureCase("x=grid/plain", grid, mixed, 33, false),
		measureCase("x=uniform", uniform, mixed, 48, true),
		measureCase("x=aloft", aloft, mixed, 40, true),
		measureCase("x=broken", broken, alike, 20, true),
	)
	large := measureCase("x=uniform", uniform, []family{{1024, nil}, {1024, nil}}, 512, true)
	large.large, large.bytes = true, 4*2048*(4*512+521)
	return append(cases, large)
}

// What a site's moments are laid out as among a unit's values.
const (
	counted = iota // N, then the sums
	sum1
	sum2
	sum3
	sum4
	sumAbs
	least0
	most0
	relative1
	relative2
	nearZero
	nans
	infinities
	pooled
	below0
	perSite = below0 + device.MaxEps
)

func measureCase(name string, x filling, of []family, cols int, full bool) testCase {
	// Between the multiples of 1/64 that grid makes, so that no count depends on a rounding.
	eps := []float32{0.001, 0.3, 0.01, 0.1, 1.3, 3, 0.7, 1e-5}
	if !full {
		eps = eps[:2]
	}
	const threshold = 0.4567
	wide := cols + 9 // what enters the MLP's output projection is of another width
	return testCase{
		operation: "Measure",
		name:      fmt.Sprintf("%s/cols=%d/families=%d", name, cols, len(of)),
		units:     len(of),
		prepare: func(r *rig, units []int) step {
			p := pack(of, units, false)
			m := &device.Measure{
				Y:      r.tensor(x.rows("y", p.rows, cols), cols),
				Layout: &p.layout, Eps: eps, Relative: threshold, Pooled: full,
			}
			if full {
				m.X, m.Attn = r.tensor(x.rows("x", p.rows, cols), cols), r.tensor(x.rows("attn", p.rows, cols), cols)
				m.MLP, m.Act = r.tensor(x.rows("mlp", p.rows, cols), cols), r.tensor(x.rows("act", p.rows, wide), wide)
			}
			return step{func() { r.device.Measure(m) }, func() [][]float64 { return r.measured(m, p) }}
		},
		tolerance: measureTolerance(x, of, cols, wide, threshold),
	}
}

// measured waits for a Measure and lays out what each family's sequences came to.
func (r *rig) measured(m *device.Measure, p *packing) [][]float64 {
	if err := r.device.Sync(); err != nil {
		r.failures = append(r.failures, err.Error())
		return nil
	}
	if len(m.Out) != p.layout.Sequences() {
		r.failures = append(r.failures, fmt.Sprintf("Out has %d entries for %d sequences", len(m.Out), p.layout.Sequences()))
		return nil
	}
	out := make([][]float64, len(p.where))
	for i, places := range p.where {
		for _, place := range places {
			out[i] = append(out[i], flat(m.Out[place.sequence])...)
		}
	}
	return out
}

func flat(s device.SequenceMeasure) []float64 {
	out := []float64{float64(s.Tokens), s.Pairs.Cosine, s.Pairs.Distance, s.Pairs.Relative}
	for _, site := range s.Sites {
		out = append(out, float64(site.N), site.Sum, site.Sum2, site.Sum3, site.Sum4, site.SumAbs, site.Min, site.Max,
			site.RelativeSum, site.RelativeSum2, float64(site.RelativeBelow), float64(site.NaN), float64(site.Inf), site.PooledVariance)
		for _, n := range site.Below {
			out = append(out, float64(n))
		}
	}
	return out
}

// perSequence is how many values flat makes of one sequence.
const perSequence = 4 + int(device.Sites)*perSite

// Sums cross tokens in float64 and may be float32 within a row: sum(cols) of the sum of the terms' magnitudes, plus a rounding for each
// power, for y − x, and for the root that relative values are divided by. Counts are exact but for relative values that lie within 1e-5
// of the threshold, and differences that lie as close to theirs. The pooled mean crosses tokens: float64 throughout, so that a mean a
// thousand times the spread does no harm; only the difference was rounded before.
func measureTolerance(x filling, of []family, cols, wide int, threshold float64) func(precision, int, int, float64) float64 {
	type key struct{ unit, sequence, site int }
	known := map[key]magnitudes{}
	return func(_ precision, unit, j int, want float64) float64 {
		sequence, j := j/perSequence, j%perSequence
		site := (j - 4) / perSite
		if j < 4 {
			site = int(device.SiteDelta)
		}
		k := key{unit, sequence, site}
		m, found := known[k]
		if !found {
			m = magnitudesOf(x, rowsOf(of, unit, sequence), device.Site(site), cols, wide, threshold)
			known[k] = m
		}
		within := sum(wide) + 8*u
		switch j {
		case 0:
			return 0
		case 1: // cosines: a token's is off by what its dot product and lengths are
			return 2 * within * float64(m.rows)
		case 2: // the norms' differences were rounded before, by u of the larger
			return within*abs(want) + 2*u*m.input
		case 3:
			return within*abs(want) + 2*u*m.inputRelative
		}
		switch at := (j - 4) % perSite; at {
		case counted, nans, infinities:
			return 0
		case sum1, sumAbs:
			return within*m.power[1] + m.rounded
		case sum2, sum3, sum4:
			n := at - sum1 + 1
			return within*m.power[n] + float64(n)*u*m.power[n]
		case least0, most0:
			return u * abs(want) * m.inexact
		case relative1:
			return within * m.relative
		case relative2:
			return 2 * within * m.relative2
		case nearZero:
			return m.close
		case pooled:
			return 1e-9*want + 1e-18*m.largest*m.largest + m.inexact*u*m.largest*(4*math.Sqrt(abs(want))+u*m.largest)
		}
		return m.inexact * m.close // a threshold's count
	}
}

// magnitudes are the sizes that a site's errors are relative to, over one sequence.
type magnitudes struct {
	rows                int
	power               [5]float64 // Σ|v|ⁿ
	relative, relative2 float64    // Σ|v/rms|, Σ(v/rms)²
	close               float64    // values close enough to a threshold to fall on either side
	largest             float64
	inexact             float64 // 1 where the value itself may have been rounded
	rounded             float64
	input               float64 // Σ‖y‖
	inputRelative       float64 // as that, of ‖y−x‖/‖y‖
}

func magnitudesOf(x filling, numbers []int, site device.Site, cols, wide int, threshold float64) magnitudes {
	m := magnitudes{rows: len(numbers)}
	names := [device.Sites]string{"y", "y", "attn", "mlp", "act"}
	width := cols
	if site == device.SiteAct {
		width = wide
	}
	for _, number := range numbers {
		values, y := x(names[site], number, width), x("y", number, cols)
		scale := length(y) / math.Sqrt(float64(cols))
		if site == device.SiteAct {
			scale = length(values) / math.Sqrt(float64(width))
		}
		if site == device.SiteDelta {
			m.inexact = 1
			for i, before := range x("x", number, cols) {
				values[i] -= before
				m.rounded += u * abs(float64(values[i]))
			}
		}
		m.input += length(y)
		m.inputRelative++
		for _, v := range values {
			size := abs(float64(v))
			for n, power := 0, 1.0; n < 5; n, power = n+1, power*size {
				m.power[n] += power
			}
			m.largest = max(m.largest, size)
			if scale > 0 {
				m.relative += size / scale
				m.relative2 += size / scale * size / scale
				if abs(size/scale/threshold-1) < 1e-5 {
					m.close++
				}
			}
		}
	}
	return m
}
