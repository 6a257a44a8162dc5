package engine

import (
	"context"
	"fmt"
	"math"

	"avssnative/engine/device"
	"avssnative/engine/weights"
	"avssnative/failure"
)

// defaultRows is how many rows a block computes together unless told otherwise: enough that packing a weight costs a few per cent of the
// product it is packed for, few enough that the working tensors stay small.
const defaultRows = 2048

// Run walks the sequences through the model, layer by layer, every variant and observer at once.
func (m *Model) Run(ctx context.Context, p Pass) (*Outcome, error) {
	p, err := p.Prepared(ctx) // which walks the model itself
	if err != nil {
		return nil, err
	}
	m.running.Lock()
	defer m.running.Unlock()
	if err := m.Computable(); err != nil {
		return nil, err
	}
	if _, err := m.Device(); err != nil {
		return nil, err
	}
	p.Variants = m.settled(p.Variants)
	var o *Outcome
	if len(m.devices) > 1 && len(p.Sequences) > 1 && p.Trace == nil {
		o, err = m.runSplit(ctx, p)
	} else {
		o, err = m.runOn(ctx, m.devices[0], p)
	}
	if err = m.unchanged(err); err != nil {
		return nil, err
	}
	return o, nil
}

// runOn walks a pass on one device.
func (m *Model) runOn(ctx context.Context, d device.Device, p Pass) (*Outcome, error) {
	variants, which, err := distinct(p, m.Layers())
	if err != nil {
		return nil, err
	}
	if p.Halves {
		if err := m.adds(); err != nil {
			return nil, err
		}
	}
	packed, err := pack(p.Sequences, m.Spec)
	if err != nil {
		return nil, err
	}
	if p, err = p.complete(packed, m.Spec.Hidden); err != nil {
		return nil, err
	}
	needed := p.needed(variants)
	c, err := m.cutOf(d, &p, packed, needed)
	if err != nil {
		return nil, err
	}
	p.Rows = c.rows
	if turns := c.turns(packed, 4*int64(m.Spec.Hidden)*int64(needed)); len(turns) > 1 && p.Trace == nil {
		return m.runInTurns(ctx, d, p, c, turns)
	}
	return m.walked(ctx, d, p, c, packed, variants, which)
}

// walked walks a pass whose hidden tensors fit. which is, of each variant of the pass, its place among the distinct ones.
func (m *Model) walked(ctx context.Context, d device.Device, p Pass, c cut, packed *packing, variants *variantSet, which []int) (*Outcome, error) {
	w := &walker{model: m, device: d, pass: p, cut: c, variants: variants.drops, set: variants, packing: packed, outcome: &Outcome{}}
	w.scores = make([][]SequenceScore, len(variants.drops))
	groups := variants.walks(w.hiddenTensors(), p.Diverge)
	w.countWork(groups)
	seen := false
	for _, group := range groups {
		watch := !seen && group[0] == 0
		seen = seen || watch
		if err := w.walk(ctx, group, watch); err != nil {
			return nil, err
		}
	}
	for _, v := range which {
		w.outcome.Scores = append(w.outcome.Scores, w.scores[v])
	}
	return w.outcome, nil
}

// adds says why halves of layers cannot be measured alone: where the stream is normed on its way, a half does more than add to it.
func (m *Model) adds() error {
	for l := range m.Spec.Blocks {
		if b := &m.Spec.Blocks[l]; b.PostNorm || b.ResidualNormed {
			return failure.Unsupported.Errorf("engine: %s: layer %d norms the residual stream, so that halves of layers cannot be measured apart", m.Spec.Family, l)
		}
	}
	return nil
}

// distinct drops repeated variants; which[i] is where variant i went. Variant 0 stays first.
func distinct(p Pass, layers int) (unique *variantSet, which []int, err error) {
	variants := p.Variants
	if len(variants) == 0 {
		variants = []Drop{nil}
	}
	if err := checkVariants(variants, layers); err != nil {
		return nil, nil, err
	}
	if len(p.Repairs) > len(variants) {
		return nil, nil, fmt.Errorf("engine: %d repairs for %d variants", len(p.Repairs), len(variants))
	}
	type key struct {
		drop   string
		repair *Repair
	}
	unique = &variantSet{layers: layers}
	known := map[key]int{}
	for i, drop := range variants {
		k := key{drop: drop.String()}
		if i < len(p.Repairs) && p.Repairs[i] != nil {
			if k.repair = p.Repairs[i]; k.repair.outside != "" {
				return nil, nil, fmt.Errorf("engine: variant %d: a repair of %s: a pass takes repairs of layers alone", i, k.repair.outside)
			}
		}
		at, found := known[k]
		if !found {
			at = len(unique.drops)
			known[k] = at
			unique.drops, unique.repairs = append(unique.drops, drop), append(unique.repairs, k.repair)
		}
		which = append(which, at)
	}
	return unique, which, nil
}

// complete fills in what the caller left to us and refuses what does not go together.
func (p Pass) complete(packed *packing, hidden int) (Pass, error) {
	if len(p.Eps) == 0 {
		p.Eps = device.DefaultEps
	}
	if len(p.Eps) > device.MaxEps {
		return p, fmt.Errorf("engine: %d thresholds, at most %d", len(p.Eps), device.MaxEps)
	}
	if p.Relative == 0 {
		p.Relative = device.DefaultRelative
	}
	if p.Rows <= 0 {
		p.Rows = defaultRows
	}
	if err := p.checkKnown(packed, hidden); err != nil {
		return p, err
	}
	if p.Overlap < 0 || math.IsNaN(p.Overlap) || p.Overlap > 0 && !p.Diverge {
		return p, fmt.Errorf("engine: overlap at a temperature of %g: want 0 or more, and divergence asked for as well", p.Overlap)
	}
	if len(p.Observe) > 0 || p.Trace != nil {
		for i, s := range p.Sequences {
			if len(s.Branches) > 0 && !s.Silent {
				return p, fmt.Errorf("engine: sequence %d: has branches, so observers cannot be shown it; make it silent", i)
			}
		}
	}
	return p, nil
}

// notNumbers explains results that are no numbers: by a stored tensor that holds such values, if one does.
func (m *Model) notNumbers(where string) error {
	if name, count := weights.NotNumbers(m.Tensors); name != "" {
		return failure.Corrupt.Errorf("engine: tensor %s: %d of its values are NaN or infinite, so nothing computed from it is a number; the file is damaged",
			name, count)
	}
	return fmt.Errorf("engine: %s: values are NaN though no stored weight is; the computation overflowed; compute f32 may hold it", where)
}
