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
	input    [2][][]float32
	output   [2][][]float32
	fail     error
}

func newWatched(w *walker, layer int, on bool) *watched {
	o := &watched{walker: w, layer: layer, on: on && len(w.pass.Observe) > 0}
	if !o.on {
		return o
	}
	o.wants = wanted(w.pass.Observe)
	n := len(w.pass.Sequences)
	for i := range o.parts() {
		o.measures[i], o.input[i], o.output[i] = make([]device.SequenceMeasure, n), make([][]float32, n), make([][]float32, n)
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
	if o.fail == nil {
		o.measure(1, s, &device.Measure{X: middle, Y: y, Layout: layout})
	}
}

// measure measures a layer, or one half of it, on a span's rows.
func (o *watched) measure(part int, s span, m *device.Measure) {
	m.Eps, m.Relative, m.Pooled, m.SkipRelativeBelow = o.pass.Eps, o.pass.Relative, o.wants.Pooled, !o.wants.RelativeBelow
	o.device.Measure(m)
	if err := o.device.Sync(); err != nil {
		o.fail = err
		return
	}
	at := 0
	for i := s.first; i < s.last; i++ {
		f := &o.packing.groups[i]
		if !o.pass.Sequences[f.sequence].Silent {
			o.measures[part][f.sequence] = m.Out[at]
			if !o.wants.RelativeBelow {
				sites := &o.measures[part][f.sequence].Sites
				sites[device.SiteAttn].RelativeBelow, sites[device.SiteMLP].RelativeBelow = -1, -1
			}
			if o.wants.Last {
				last := f.start - s.start + f.rows - 1
				o.input[part][f.sequence], o.output[part][f.sequence] = o.row(m.X, last), o.row(m.Y, last)
			}
		}
		at += f.layout.Sequences()
	}
}

func (o *watched) row(t device.Tensor, at int) []float32 {
	row := make([]float32, t.Cols())
	o.device.Download(row, t, at)
	return row
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
	if !o.on || o.fail != nil {
		return o.fail
	}
	parts := o.parts()
	for part := range parts {
		for i, s := range o.pass.Sequences {
			if s.Silent {
				continue
			}
			seen := &Measurement{Layer: parts*o.layer + part, Layers: parts * o.model.Layers(), Sequence: i, SequenceMeasure: o.measures[part][i],
				Eps: o.pass.Eps, Relative: o.pass.Relative, Input: o.input[part][i], Output: o.output[part][i]}
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
