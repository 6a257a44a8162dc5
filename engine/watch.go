package engine

import (
	"fmt"

	"avssnative/engine/device"
)

// watched gathers what one layer's batches measure until the layer is done, then shows it to the observers sequence by sequence.
type watched struct {
	*walker
	layer    int
	on       bool
	wants    Wants
	measures [2][]device.SequenceMeasure // a sequence of the pass; of halves the attention's, then the MLP's
	due      []due
	last     [2]device.Tensor // every prompt group's last row on its way into the layer and, behind those, out of it; nil where nobody wants it
}

// due is a measurement that has been asked for.
type due struct {
	part int
	span span
	*device.Measure
}

func newWatched(w *walker, layer int, on bool) *watched {
	o := &watched{walker: w, layer: layer, on: on && len(w.pass.Observe) > 0}
	if !o.on {
		return o
	}
	o.wants = wanted(w.pass.Observe)
	n := len(w.pass.Sequences)
	for i := range o.parts() {
		o.measures[i] = make([]device.SequenceMeasure, n)
		if o.wants.Last {
			o.last[i] = w.device.NewTensor(2*len(w.packing.groups), w.model.Spec.Hidden)
		}
	}
	return o
}

// parts is how many measurements a layer makes.
func (o *watched) parts() int {
	if o.pass.Halves {
		return 2
	}
	return 1
}

// wanted is what any of some observers reads.
func wanted(observers []Observer) Wants {
	var all Wants
	for _, o := range observers {
		own := o.Wants()
		all.Pooled, all.Last, all.RelativeBelow = all.Pooled || own.Pooled, all.Last || own.Last, all.RelativeBelow || own.RelativeBelow
	}
	return all
}

// sums are the thresholds that products' results shall be counted below on the way, nil where nothing of a batch is measured or where that
// needs whole rows.
func (o *watched) sums(b batch) []float32 {
	if s := b.spans[0]; !o.on || o.pass.Halves || o.wants.RelativeBelow || s.state != 0 || !o.shows(s) {
		return nil
	}
	return o.pass.Eps
}

// see measures the rows of the first state in a batch; they come first.
func (o *watched) see(f *forward, b batch, x, y device.Tensor, seen branches) {
	s := b.spans[0]
	if !o.on || s.state != 0 || !o.shows(s) {
		return
	}
	window := func(t device.Tensor) device.Tensor {
		if t == nil {
			return nil
		}
		return t.Slice(0, s.rows)
	}
	layout := o.packing.join(b.spans[:1])
	x, y = window(x), window(y)
	if !o.pass.Halves {
		o.measure(0, s, &device.Measure{X: x, Y: y, Attn: window(seen.attn), MLP: window(seen.mlp), Act: window(seen.act), Layout: layout})
		return
	}
	middle := x
	if seen.attn != nil {
		middle = f.take(x.Cols())
		defer f.give(middle)
		middle = window(middle)
		o.device.Add(middle, x, window(seen.attn), 1)
	}
	o.measure(0, s, &device.Measure{X: x, Y: middle, Layout: layout})
	o.measure(1, s, &device.Measure{X: middle, Y: y, Layout: layout})
}

// measure asks for what a layer, or one half of it, does to a span's rows.
func (o *watched) measure(part int, s span, m *device.Measure) {
	m.Eps, m.Relative, m.Pooled, m.SkipRelativeBelow = o.pass.Eps, o.pass.Relative, o.wants.Pooled, !o.wants.RelativeBelow
	o.device.Measure(m)
	o.due = append(o.due, due{part, s, m})
	if !o.wants.Last {
		return
	}
	var rows []int32
	for _, g := range o.packing.groups[s.first:s.last] {
		rows = append(rows, int32(g.start-s.start+g.rows-1))
	}
	for i, t := range []device.Tensor{m.X, m.Y} {
		o.device.Gather(o.last[part].Slice(i*len(o.packing.groups)+s.first, len(rows)), t, rows)
	}
}

// collect takes what was measured and has been waited for.
func (o *watched) collect() {
	for _, d := range o.due {
		at := 0
		for i := d.span.first; i < d.span.last; i++ {
			f := &o.packing.groups[i]
			if !o.pass.Sequences[f.sequence].Silent {
				o.measures[d.part][f.sequence] = d.Out[at]
				if !o.wants.RelativeBelow {
					sites := &o.measures[d.part][f.sequence].Sites
					sites[device.SiteAttn].RelativeBelow, sites[device.SiteMLP].RelativeBelow = -1, -1
				}
			}
			at += f.layout.Sequences()
		}
	}
	o.due = nil
}

// lastRows gives every sequence the last row on its way into the layer and out of it; nil where nobody wants them.
func (o *watched) lastRows(part int) (input, output [][]float32, err error) {
	input, output = make([][]float32, len(o.pass.Sequences)), make([][]float32, len(o.pass.Sequences))
	t := o.last[part]
	if t == nil {
		return input, output, nil
	}
	cols, groups := t.Cols(), o.packing.groups
	values := make([]float32, t.Rows()*cols)
	o.device.Download(values, t, 0)
	if err := o.device.Sync(); err != nil {
		return nil, nil, err
	}
	for i := range groups {
		input[groups[i].sequence] = values[i*cols:][:cols:cols]
		output[groups[i].sequence] = values[(len(groups)+i)*cols:][:cols:cols]
	}
	return input, output, nil
}

// close frees what a layer's batches were gathered in.
func (o *watched) close() {
	for _, t := range o.last {
		if t != nil {
			t.Free()
		}
	}
}

// shows says whether observers are to be shown any prompt group of a span.
func (o *watched) shows(s span) bool {
	for i := s.first; i < s.last; i++ {
		if !o.pass.Sequences[o.packing.groups[i].sequence].Silent {
			return true
		}
	}
	return false
}

// deliver shows the layer, or its halves one after the other, to the observers.
func (o *watched) deliver() error {
	if !o.on {
		return nil
	}
	parts := o.parts()
	for part := range parts {
		input, output, err := o.lastRows(part)
		if err != nil {
			return err
		}
		for i, s := range o.pass.Sequences {
			if s.Silent {
				continue
			}
			seen := &Measurement{Layer: parts*o.layer + part, Layers: parts * o.model.Layers(), Sequence: i, SequenceMeasure: o.measures[part][i],
				Eps: o.pass.Eps, Relative: o.pass.Relative, Input: input[i], Output: output[i]}
			for site := range seen.Sites {
				if moments := &seen.Sites[site]; moments.NaN > 0 {
					return o.model.notNumbers(fmt.Sprintf("layer %d, site %s, sequence %d", o.layer, device.Site(site), i))
				}
			}
			for _, observer := range o.pass.Observe {
				if err := observer.Observe(seen); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// trace shows the first state's rows of every sequence that observers may see.
func (w *walker) trace(name string) error {
	s := w.states[0]
	for i := range s.groups {
		f := &w.packing.groups[i]
		if w.pass.Sequences[f.sequence].Silent {
			continue
		}
		values := make([]float32, f.rows*s.hidden.Cols())
		w.device.Download(values, s.hidden.Slice(f.start, f.rows), 0)
		if err := w.device.Sync(); err != nil {
			return err
		}
		if err := w.pass.Trace(TraceTensor{Name: name, Sequence: f.sequence, Rows: f.rows, Cols: s.hidden.Cols(), Values: values}); err != nil {
			return err
		}
	}
	return nil
}
