package cuda

import (
	"math"

	"avssnative/engine/device"
)

// Slots of a record (measure.cu): the numbers of one row, or of one sequence, for every site.
const (
	slotSum = iota
	slotSum2
	slotSum3
	slotSum4
	slotSumAbs
	slotLeast
	slotMost
	slotRelative
	slotRelative2
	slotNear
	slotBelow
	slotNaN    = slotBelow + device.MaxEps
	slotInf    = slotNaN + 1
	slots      = slotInf + 1
	recordSize = int(device.Sites)*slots + 4
)

// Measure fills m.Out once Sync has returned. Where y is what has just been added up, one kernel does both.
func (d *gpu) Measure(m *device.Measure) {
	d.joining("measure", func(after *addition) error {
		a := arguments{d: d}
		x, y := a.optional("x", m.X, any_, any_), a.optional("y", m.Y, any_, any_)
		attn, mlp := a.optional("attn", m.Attn, any_, any_), a.optional("mlp", m.MLP, any_, any_)
		act := a.optional("act", m.Act, any_, any_)
		a.want(len(m.Eps) <= device.MaxEps, "%d thresholds, at most %d", len(m.Eps), device.MaxEps)
		a.want(y != nil || attn == nil && mlp == nil, "attn and mlp are measured relative to y, which is missing")
		rows, cols, actCols := 0, 1, 1
		for _, t := range []*tensor{x, y, attn, mlp, act} {
			if t != nil {
				rows = t.rows
			}
		}
		for _, t := range []*tensor{x, y, attn, mlp, act} {
			a.want(t == nil || t.rows == rows, "tensors of different numbers of rows")
			a.want(t == nil || t == act || y == nil || t.cols == y.cols, "x, y, attn and mlp of different widths")
		}
		a.layout(m.Layout, rows)
		if a.err != nil || !after.into(y) || x != nil && x.in == y.in || attn != nil && attn.in == y.in || mlp != nil && mlp.in == y.in || act != nil && act.in == y.in {
			if err := d.add(after); err != nil {
				return err
			}
			after = &addition{}
		}
		if a.err != nil {
			return a.err
		}
		if y != nil {
			cols = y.cols
		}
		if act != nil {
			actCols = act.cols
		}
		p, err := d.place(m.Layout)
		if err != nil {
			return err
		}
		sites := siteTensors{device.SiteBlock: {y, nil}, device.SiteAttn: {attn, nil}, device.SiteMLP: {mlp, nil}, device.SiteAct: {act, nil}}
		if x != nil && y != nil {
			sites[device.SiteDelta] = [2]*tensor{y, x}
		}
		eps := thresholds(m.Eps)
		var attnSums, mlpSums uint64
		if m.SkipRelativeBelow {
			attnSums, mlpSums = attn.summed(eps), mlp.summed(eps)
		}
		sequences := m.Layout.Sequences()
		records, err := d.memory.take(int64(rows) * int64(recordSize) * 8)
		if err != nil {
			return err
		}
		out, err := d.memory.take(int64(sequences) * int64(recordSize) * 8)
		if err != nil {
			return err
		}
		var mask uint64
		for site, t := range sites {
			if t[0] != nil {
				mask |= 1 << site
			}
		}
		err = with(d, eps[:], func(limits uint64) error {
			return d.launch("measure", grid(256, rows, 1, 0), uint64(records.at), x.at(), x.ld(), y.at(), y.ld(), attn.at(), attn.ld(), attnSums, mlp.at(), mlp.ld(), mlpSums, act.at(), act.ld(),
				after.a.at(), after.a.ld(), after.b.at(), after.b.ld(), real(after.scale), limits, real(m.Relative), number(cols), number(actCols))
		})
		if err != nil {
			return err
		}
		if err := d.launch("merge", grid(256, sequences, upTo(recordSize, 32), 0), uint64(out.at), uint64(records.at), uint64(p.starts.at), mask); err != nil {
			return err
		}
		if err := d.memory.give(records, d.computing); err != nil {
			return err
		}
		var pooled *block
		if m.Pooled {
			if pooled, err = d.poolSites(sites, p, sequences); err != nil {
				return err
			}
		}
		m.Out = make([]device.SequenceMeasure, sequences)
		d.pending = append(d.pending, func() error { return d.measured(m, &p.layout, sites, out, pooled) })
		return nil
	})
}

// siteTensors are the tensors of each site: the values, and what is taken from them.
type siteTensors [device.Sites][2]*tensor

// poolSites computes the pooled variances of all sites: [sites × sequences].
func (d *gpu) poolSites(sites siteTensors, p *placed, sequences int) (*block, error) {
	out, err := d.memory.take(int64(device.Sites) * int64(sequences) * 8)
	if err != nil {
		return nil, err
	}
	for site, t := range sites {
		if t[0] == nil || t[0].cols == 0 {
			continue
		}
		means, err := d.memory.take(int64(sequences) * int64(t[0].cols) * 8)
		if err != nil {
			return nil, err
		}
		if err := d.launch("pooled", grid(256, sequences, upTo(t[0].cols, 256), 0), uint64(means.at), t[0].at(), t[0].ld(), t[1].at(), t[1].ld(), uint64(p.starts.at), number(t[0].cols)); err != nil {
			return nil, err
		}
		if err := d.launch("pooled_variance", grid(256, sequences, 1, 0), uint64(out.at)+uint64(8*site*sequences), uint64(means.at), number(t[0].cols)); err != nil {
			return nil, err
		}
		if err := d.memory.give(means, d.computing); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// measured reads what the kernels found into m.Out.
func (d *gpu) measured(m *device.Measure, l *device.Layout, sites siteTensors, out, pooled *block) error {
	sequences := l.Sequences()
	records, variances := make([]float64, sequences*recordSize), make([]float64, int(device.Sites)*sequences)
	if err := download(d, records, out.at); err != nil {
		return err
	}
	if err := d.memory.give(out, d.computing); err != nil {
		return err
	}
	if pooled != nil {
		for site, t := range sites {
			if t[0] != nil && t[0].cols > 0 {
				if err := download(d, variances[site*sequences:][:sequences], pooled.at+pointer(8*site*sequences)); err != nil {
					return err
				}
			}
		}
		if err := d.memory.give(pooled, d.computing); err != nil {
			return err
		}
	}
	for i := range m.Out {
		record, tokens := records[i*recordSize:][:recordSize], int(l.Start[i+1]-l.Start[i])
		m.Out[i].Tokens = tokens
		for site, t := range sites {
			if t[0] != nil {
				m.Out[i].Sites[site] = moments(record[site*slots:][:slots], int64(tokens)*int64(t[0].cols), len(m.Eps))
				m.Out[i].Sites[site].PooledVariance = variances[site*sequences+i]
			}
		}
		if sites[device.SiteDelta][0] != nil {
			pairs := record[int(device.Sites)*slots:]
			m.Out[i].Pairs = device.Pairs{Cosine: pairs[0], Distance: pairs[1], Relative: pairs[2]}
		}
	}
	return nil
}

func moments(record []float64, n int64, thresholds int) device.Moments {
	m := device.Moments{N: n, Sum: record[slotSum], Sum2: record[slotSum2], Sum3: record[slotSum3], Sum4: record[slotSum4], SumAbs: record[slotSumAbs],
		Min: record[slotLeast], Max: record[slotMost], RelativeSum: record[slotRelative], RelativeSum2: record[slotRelative2],
		RelativeBelow: int64(record[slotNear]), NaN: int64(record[slotNaN]), Inf: int64(record[slotInf])}
	for e := range thresholds {
		m.Below[e] = int64(record[slotBelow+e])
	}
	if m.N == m.NaN || math.IsInf(m.Min, 1) && m.Inf == 0 {
		m.Min, m.Max = 0, 0
	}
	return m
}
