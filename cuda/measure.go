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
	slotRelativeBelow
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
		k := a.measurement(m)
		if a.err != nil || !k.takesOver(after) {
			if err := d.add(after); err != nil {
				return err
			}
			after = &addition{}
		}
		if a.err != nil {
			return a.err
		}
		return d.measure(k, after)
	})
}

// measurement is a Measure with the device's tensors, nil where there is none.
type measurement struct {
	*device.Measure
	x, y, attn, mlp, act *tensor
	rows                 int
	sites                siteTensors
}

// siteTensors are the tensors of each site: the values, and what is taken from them.
type siteTensors [device.Sites][2]*tensor

// measurement checks a Measure.
func (a *arguments) measurement(m *device.Measure) measurement {
	k := measurement{Measure: m, x: a.optional("x", m.X, any_, any_), y: a.optional("y", m.Y, any_, any_), attn: a.optional("attn", m.Attn, any_, any_),
		mlp: a.optional("mlp", m.MLP, any_, any_), act: a.optional("act", m.Act, any_, any_)}
	a.want(len(m.Eps) <= device.MaxEps, "%d thresholds, at most %d", len(m.Eps), device.MaxEps)
	a.want(k.y != nil || k.attn == nil && k.mlp == nil, "attn and mlp are measured relative to y, which is missing")
	all := []*tensor{k.x, k.y, k.attn, k.mlp, k.act}
	for _, t := range all {
		if t != nil {
			k.rows = t.rows
		}
	}
	for _, t := range all {
		a.want(t == nil || t.rows == k.rows, "tensors of different numbers of rows")
		a.want(t == nil || t == k.act || k.y == nil || t.cols == k.y.cols, "x, y, attn and mlp of different widths")
	}
	a.layout(m.Layout, k.rows)
	k.sites = siteTensors{device.SiteBlock: {k.y, nil}, device.SiteAttn: {k.attn, nil}, device.SiteMLP: {k.mlp, nil}, device.SiteAct: {k.act, nil}}
	if k.x != nil && k.y != nil {
		k.sites[device.SiteDelta] = [2]*tensor{k.y, k.x}
	}
	return k
}

// takesOver says whether the kernel may do an addition on the way: its result is y, and nothing else that is read.
func (k measurement) takesOver(after *addition) bool {
	if !after.into(k.y) {
		return false
	}
	for _, t := range []*tensor{k.x, k.attn, k.mlp, k.act} {
		if t != nil && t.in == k.y.in {
			return false
		}
	}
	return true
}

// measure queues the kernels, and what Sync does with their results.
func (d *gpu) measure(k measurement, after *addition) (err error) {
	p, err := d.place(k.Layout)
	if err != nil {
		return err
	}
	sequences := k.Layout.Sequences()
	out, err := d.memory.take(int64(sequences) * int64(recordSize) * 8)
	if err != nil {
		return err
	}
	var pooled *block
	defer func() {
		if err != nil {
			d.release(&err, out, pooled)
		}
	}()
	if err := d.measureRows(k, after, p, address[float64](out.at)); err != nil {
		return err
	}
	if k.Pooled {
		if pooled, err = d.poolSites(k.sites, p, sequences); err != nil {
			return err
		}
	}
	k.Out = make([]device.SequenceMeasure, sequences)
	d.pending = append(d.pending, d.measurePending(k, &p.layout, out, pooled))
	return nil
}

// measureRows makes a record of every row and merges them into one of every sequence.
func (d *gpu) measureRows(k measurement, after *addition, p *placed, out address[float64]) (err error) {
	cols, actCols := 1, 1
	if k.y != nil {
		cols = k.y.cols
	}
	if k.act != nil {
		actCols = k.act.cols
	}
	eps := thresholds(k.Eps)
	var attnSums, mlpSums address[groupSums]
	if k.SkipRelativeBelow {
		attnSums, mlpSums = k.attn.summed(eps), k.mlp.summed(eps)
	}
	var mask uint32
	for site, t := range k.sites {
		if t[0] != nil {
			mask |= 1 << site
		}
	}
	block, err := d.memory.take(int64(k.rows) * int64(recordSize) * 8)
	if err != nil {
		return err
	}
	defer d.release(&err, block)
	records := address[float64](block.at)
	err = fixed(d, eps[:], func(limits address[float32]) error {
		return d.launch(grid(256, k.rows, 1, 0), kernelMeasure(records, k.x.view(), k.y.view(), k.attn.view(), attnSums, k.mlp.view(), mlpSums,
			k.act.view(), after.a.view(), after.b.view(), after.scale, limits, k.Relative, cols, actCols))
	})
	if err != nil {
		return err
	}
	return d.merge(out, records, p, k.Layout.Sequences(), mask)
}

// merge adds the records of rows up to one of every sequence: where there are long ones first to one of every run. A sequence of one run has the
// same bits either way, so that they do not depend on what stands beside it.
func (d *gpu) merge(out, records address[float64], p *placed, sequences int, sites uint32) (err error) {
	wide := upTo(recordSize, 32)
	if p.runs.count == 0 {
		return d.launch(grid(256, sequences, wide, 0), kernelMerge(out, records, address[int32](p.starts.at), sites))
	}
	block, err := d.memory.take(int64(p.runs.count) * int64(recordSize) * 8)
	if err != nil {
		return err
	}
	defer d.release(&err, block)
	runs := address[float64](block.at)
	if err := d.launch(grid(256, p.runs.count, wide, 0), kernelMerge(runs, records, address[int32](p.runs.bounds.at), sites)); err != nil {
		return err
	}
	return d.launch(grid(256, sequences, wide, 0), kernelMerge(out, runs, address[int32](p.runs.of.at), sites))
}

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
		if err := d.poolSite(t, p, sequences, address[float64](out.at).plus(site*sequences)); err != nil {
			d.release(&err, out)
			return nil, err
		}
	}
	return out, nil
}

func (d *gpu) poolSite(t [2]*tensor, p *placed, sequences int, out address[float64]) (err error) {
	cols := t[0].cols
	block, err := d.memory.take(int64(sequences) * int64(cols) * 8)
	if err != nil {
		return err
	}
	defer d.release(&err, block)
	means := address[float64](block.at)
	err = d.launch(grid(256, sequences, upTo(cols, 256), 0), kernelPooled(means, t[0].view(), t[1].view(), address[int32](p.starts.at), cols))
	if err != nil {
		return err
	}
	return d.launch(grid(256, sequences, 1, 0), kernelPooledVariance(out, means, cols))
}

// measurePending is what Sync does about a Measure.
func (d *gpu) measurePending(k measurement, l *device.Layout, out, pooled *block) pending {
	sequences := l.Sequences()
	records, variances := make([]float64, sequences*recordSize), make([]float64, int(device.Sites)*sequences)
	return pending{blocks: []*block{out, pooled}, read: func() { k.measured(l, records, variances) }, fetch: func() error {
		if err := fetch(d, records, out.at); err != nil || pooled == nil {
			return err
		}
		for site, t := range k.sites {
			if t[0] == nil || t[0].cols == 0 {
				continue
			}
			if err := fetch(d, variances[site*sequences:][:sequences], pooled.at+pointer(8*site*sequences)); err != nil {
				return err
			}
		}
		return nil
	}}
}

// measured reads what the kernels found into k.Out.
func (k measurement) measured(l *device.Layout, records, variances []float64) {
	sequences := l.Sequences()
	for i := range k.Out {
		record, tokens := records[i*recordSize:][:recordSize], int(l.Start[i+1]-l.Start[i])
		k.Out[i].Tokens = tokens
		for site, t := range k.sites {
			if t[0] != nil {
				k.Out[i].Sites[site] = moments(record[site*slots:][:slots], int64(tokens)*int64(t[0].cols), len(k.Eps))
				k.Out[i].Sites[site].PooledVariance = variances[site*sequences+i]
			}
		}
		if k.sites[device.SiteDelta][0] != nil {
			pairs := record[int(device.Sites)*slots:]
			k.Out[i].Pairs = device.Pairs{Cosine: pairs[0], Distance: pairs[1], Relative: pairs[2]}
		}
	}
}

func moments(record []float64, n int64, thresholds int) device.Moments {
	m := device.Moments{N: n, Sum: record[slotSum], Sum2: record[slotSum2], Sum3: record[slotSum3], Sum4: record[slotSum4], SumAbs: record[slotSumAbs],
		Min: record[slotLeast], Max: record[slotMost], RelativeSum: record[slotRelative], RelativeSum2: record[slotRelative2],
		RelativeBelow: int64(record[slotRelativeBelow]), NaN: int64(record[slotNaN]), Inf: int64(record[slotInf])}
	for e := range thresholds {
		m.Below[e] = int64(record[slotBelow+e])
	}
	if m.N == m.NaN || math.IsInf(m.Min, 1) && m.Inf == 0 {
		m.Min, m.Max = 0, 0
	}
	return m
}
