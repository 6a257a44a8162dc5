package job

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"avssnative/bench"
	"avssnative/engine"
	"avssnative/engine/device"
	"avssnative/failure"
	"avssnative/internal/report"
)

// Alternatives says in which types the dense model is judged as well; the zero value: in none.
type Alternatives struct {
	Auto  bool // those of bench.Alternatives that make the model smaller; beside one pruned model the one nearest below its size
	Types []device.DType
}

// ParseAlternatives reads auto, none, or types between commas.
func ParseAlternatives(text string) (Alternatives, error) {
	switch text {
	case "", "auto":
		return Alternatives{Auto: true}, nil
	case "none":
		return Alternatives{}, nil
	}
	var a Alternatives
	for _, name := range strings.Split(text, ",") {
		t := device.DType(strings.ToUpper(strings.TrimSpace(name)))
		if !slices.Contains(bench.Alternatives, t) {
			return a, failure.NotFound.Errorf("%q: want auto, none or some of %v", name, bench.Alternatives)
		}
		if !slices.Contains(a.Types, t) {
			a.Types = append(a.Types, t)
		}
	}
	return a, nil
}

// coarserPhase is the phase in which weights are encoded anew.
const coarserPhase = "coarser weights"

// expectAlternatives is how long that takes: so many values a second, by type.
func (j *Job) expectAlternatives(o Alternatives, plans int) []Expected {
	types := o.Types
	if o.Auto {
		types = bench.Alternatives
	}
	seconds := 0.0
	for _, t := range types {
		r, err := bench.Requantise(j.Model, t, false)
		if err != nil || len(r.Tensors) == 0 || r.Held > mostHeld {
			continue
		}
		values, _ := j.Model.Size(nil)
		seconds += float64(values) / map[bool]float64{true: 100e6, false: 10e6}[t == device.Q8_0]
		if o.Auto && plans == 1 { // beside one pruned model there is one
			break
		}
	}
	if seconds == 0 {
		return nil
	}
	return []Expected{{coarserPhase, seconds}}
}

// mostHeld is how many bytes the coarser weights of all types may take together: they are held in memory.
const mostHeld = 2 << 30

// alternatives encodes the dense model in the types wanted. Those that there are not, or that are not measured, are noted with the reason.
func (j *Job) alternatives(o Alternatives, drop engine.Drop) []*bench.Requantised {
	types := o.Types
	if o.Auto {
		types = bench.Alternatives
	}
	if len(types) == 0 || j.Model.Computable() != nil {
		return nil
	}
	defer j.phase(coarserPhase)()
	_, dense := j.Model.Size(nil)
	_, pruned := j.sizeOf(drop, j.repair)
	var all []*bench.Requantised
	held := int64(0)
	for _, t := range types {
		leave := func(why string) {
			j.Report.Alternatives = append(j.Report.Alternatives, report.Alternative{Name: string(t), Unmeasured: why})
		}
		r, err := bench.Requantise(j.Model, t, false)
		switch {
		case err != nil:
			leave(err.Error())
			continue
		case len(r.Tensors) == 0:
			leave("no matrix of the layers would become smaller")
			continue
		case slices.ContainsFunc(all, func(had *bench.Requantised) bool { return maps.Equal(had.Tensors, r.Tensors) && had.Bytes == r.Bytes }):
			leave("its rows are no whole blocks of that type, and it comes to the same as the one before")
			continue
		case held+r.Held > mostHeld:
			leave(fmt.Sprintf("its %d MiB are more than the %d MiB that are held for this", (held+r.Held)>>20, mostHeld>>20))
			continue
		case o.Auto && drop != nil && pruned < dense && r.Bytes > pruned:
			continue // a coarser one is as small as the pruned model
		}
		if err := j.room(r); err != nil {
			leave(err.Error())
			continue
		}
		if r, err = bench.Requantise(j.Model, t, true); err != nil {
			leave(err.Error())
			continue
		}
		held += r.Held
		if all = append(all, r); o.Auto && drop != nil {
			break
		}
	}
	return all
}

// room returns why the dense model in another type cannot be held beside what judging takes, or nil.
func (j *Job) room(r *bench.Requantised) error {
	walk, err := j.Model.Least(j.length(judgedAtOnce), 2)
	if err != nil {
		return err
	}
	return j.Model.Fits(r.Held+max(2*r.Largest, walk), "to hold the dense model's layers in "+string(r.Type))
}

// judgedAtOnce is the length of a sequence beside which coarser weights must have room.
const judgedAtOnce = 512

// beside adds the dense model with coarser weights to a pass.
func (j *Job) beside(p engine.Pass, coarser []*bench.Requantised) engine.Pass {
	if len(coarser) == 0 {
		return p
	}
	p.Diverge = true
	for len(p.Repairs) < len(p.Variants) {
		p.Repairs = append(p.Repairs, nil)
	}
	for _, a := range coarser {
		p.Variants, p.Repairs = append(p.Variants, nil), append(p.Repairs, a.Repair)
	}
	return p
}

// alternative turns what was measured into the report's form.
func alternative(r *bench.Requantised, c *bench.Comparison) report.Alternative {
	a := report.Alternative{Name: string(r.Type), Tensors: r.Tensors, Bytes: r.Bytes, Divergence: divergence(c)}
	if len(c.Tasks) > 0 {
		a.Retention = retention(c)
	}
	return a
}
