package shard

// A pass: the own part of it computed, and all parts of it put together.

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"

	"avssnative/avss"
	"avssnative/engine"
	"avssnative/failure"
)

// Run answers a pass. Its observers must be metrics, which are empty before and hold the sums of all parts after. Where parts are missing the
// error is *Missing; the own part, if this runner computes, is in the folder then.
func (r *Runner) Run(ctx context.Context, p engine.Pass) (*engine.Outcome, error) {
	if p.Trace != nil {
		if r.model == nil || r.part.count() > 1 {
			return nil, failure.Unsupported.Errorf("shard: %s: tensors are shown by single runs alone", r.phase)
		}
		return r.model.Run(ctx, p)
	}
	return r.run(ctx, p, false)
}

// Compare is Run of a pass whose scores alone count, not what they took: parts share out its variants too, where it has few sequences.
func (r *Runner) Compare(ctx context.Context, p engine.Pass) (*engine.Outcome, error) {
	return r.run(ctx, p, len(p.Observe) == 0)
}

func (r *Runner) run(ctx context.Context, p engine.Pass, compared bool) (*engine.Outcome, error) {
	metrics := make([]avss.Metric, len(p.Observe))
	for i, o := range p.Observe {
		m, ok := o.(avss.Metric)
		if !ok {
			return nil, failure.Unsupported.Errorf("shard: %s: observer %d is no metric, so its parts cannot be merged", r.phase, i)
		}
		metrics[i] = m
	}
	asked, err := key(p, metrics)
	if err != nil {
		return nil, err
	}
	variants := max(1, len(p.Variants))
	cells := make([]cell, r.part.count())
	for i := range cells {
		cells[i] = Part{i, r.part.count()}.cell(p.Sequences, variants, compared)
	}
	h := r.next(r.phase, asked)
	parts, err := r.parts(ctx, h, work(h, &p), func() (*file, error) { return r.compute(ctx, p, h, cells[r.part.Index], metrics) })
	if err != nil {
		return nil, err
	}
	if parts[0].Whole {
		cells = []cell{{0, len(p.Sequences), 0, variants}}
	}
	all, err := join(parts, cells, len(p.Sequences), variants, metrics)
	if err != nil || parts[0].Whole || !r.Merges() {
		return all, err
	}
	b := body{outcome: *all}
	if b.states, err = states(metrics); err != nil {
		return nil, err
	}
	h.End = len(p.Sequences)
	r.decide(h, b)
	return all, nil
}

// shifted shows a metric the sequences of a part under the numbers that they have in the whole.
type shifted struct {
	avss.Metric
	by int
}

func (s shifted) Observe(m *engine.Measurement) error {
	moved := *m
	moved.Sequence += s.by
	return s.Metric.Observe(&moved)
}

// compute walks the own part of a pass and writes down what it came to.
func (r *Runner) compute(ctx context.Context, p engine.Pass, h head, c cell, metrics []avss.Metric) (*file, error) {
	h.First, h.End = c.first, c.end
	if c.to-c.from < max(1, len(p.Variants)) {
		h.From, h.To = c.from, c.to
	}
	b := body{outcome: engine.Outcome{Scores: make([][]engine.SequenceScore, c.to-c.from)}}
	if c.from < c.to && (c.first < c.end || len(p.Sequences) == 0) {
		outcome, err := r.walk(ctx, p, c, metrics)
		if err != nil {
			return nil, err
		}
		b.outcome = *outcome
	}
	var err error
	if b.states, err = states(metrics); err != nil {
		return nil, err
	}
	return write(r.folders[0], h, b.encode())
}

// walk takes a part's sequences through its variants.
func (r *Runner) walk(ctx context.Context, p engine.Pass, c cell, metrics []avss.Metric) (*engine.Outcome, error) {
	beside := 0
	if p.Diverge && c.from > 0 { // the first variant, which the others are compared with, is walked along
		beside = 1
	}
	if len(p.Variants) > 0 {
		run := slices.Clone(p.Variants[c.from-beside : c.to])
		repairs := append(slices.Clone(p.Repairs), make([]*engine.Repair, len(p.Variants)-len(p.Repairs))...)
		mended := slices.Clone(repairs[c.from-beside : c.to])
		if beside > 0 {
			run[0], mended[0] = p.Variants[0], repairs[0]
		}
		p.Variants, p.Repairs = run, mended
	}
	p, err := p.Prepared(ctx)
	if err != nil {
		return nil, err
	}
	if p.Sequences = p.Sequences[c.first:c.end]; p.Known != nil {
		p.Known = p.Known[c.first:c.end]
	}
	p.Observe = nil
	for _, m := range metrics {
		p.Observe = append(p.Observe, shifted{m, c.first})
	}
	outcome, err := r.model.Run(ctx, p)
	if err != nil {
		return nil, err
	}
	outcome.Scores = outcome.Scores[beside:]
	return outcome, nil
}

// states are what metrics hold, each as bytes.
func states(metrics []avss.Metric) (all [][]byte, err error) {
	for _, m := range metrics {
		state, err := m.MarshalBinary()
		if err != nil {
			return nil, err
		}
		all = append(all, state)
	}
	return all, nil
}

// join puts the parts of a pass together: scores side by side, metrics in the order of the shards.
func join(parts []*file, cells []cell, sequences, variants int, metrics []avss.Metric) (*engine.Outcome, error) {
	all := &engine.Outcome{Scores: make([][]engine.SequenceScore, variants)}
	for v := range all.Scores {
		all.Scores[v] = make([]engine.SequenceScore, sequences)
	}
	for i, f := range parts {
		refuse := func(err error) (*engine.Outcome, error) { return nil, fmt.Errorf("shard: %s: %w", f.path, err) }
		b, err := decode(f.body)
		if err != nil {
			return refuse(failure.Corrupt.Of(err))
		}
		own, c := cell{f.First, f.End, f.From, f.To}, cells[i]
		if own.from == 0 && own.to == 0 {
			own.to = variants
		}
		if own != c {
			return refuse(failure.Corrupt.Errorf("sequences %d to %d and variants %d to %d, want %d to %d and %d to %d", own.first, own.end, own.from, own.to,
				c.first, c.end, c.from, c.to))
		}
		if len(b.states) != len(metrics) || len(b.outcome.Scores) != c.to-c.from {
			return refuse(failure.Corrupt.Errorf("%d observers and %d variants, want %d and %d", len(b.states), len(b.outcome.Scores), len(metrics),
				c.to-c.from))
		}
		for v, scores := range b.outcome.Scores {
			if len(scores) != c.end-c.first {
				return refuse(failure.Corrupt.Errorf("scores of %d sequences, want %d", len(scores), c.end-c.first))
			}
			copy(all.Scores[c.from+v][c.first:], scores)
		}
		all.Blocks, all.Alone, all.Passes = max(all.Blocks, b.outcome.Blocks), max(all.Alone, b.outcome.Alone), max(all.Passes, b.outcome.Passes)
		all.Rows += b.outcome.Rows
		all.WeightBytes += b.outcome.WeightBytes
		for k, m := range metrics {
			if err := take(m, b.states[k], i == 0); err != nil {
				return refuse(err)
			}
		}
	}
	return all, nil
}

// take adds a saved state to a metric, or puts it in the metric's place.
func take(m avss.Metric, state []byte, first bool) error {
	if first {
		return m.UnmarshalBinary(state)
	}
	other, err := avss.Load(state, avss.Options{})
	if err != nil {
		return err
	}
	return m.Merge(other)
}

// key is a hash of all that a pass is asked for, and so of all that its result depends on beside the facts.
func key(p engine.Pass, metrics []avss.Metric) (string, error) {
	sum := sha256.New()
	fmt.Fprintln(sum, len(p.Sequences))
	for _, s := range p.Sequences {
		fmt.Fprintln(sum, s.IDs, s.ScoreFrom, s.ScoreTo, s.Branches, s.Silent)
	}
	for _, v := range p.Variants {
		fmt.Fprintln(sum, "variant", v)
	}
	for _, r := range p.Repairs {
		fmt.Fprintln(sum, "repair", r.Fingerprint())
	}
	fmt.Fprintln(sum, p.Diverge, p.Eps, p.Relative, p.Halves)
	for _, m := range metrics {
		empty, err := m.MarshalBinary()
		if err != nil {
			return "", err
		}
		fmt.Fprintln(sum, m.Name(), m.Wants(), len(empty), empty)
	}
	return hex.EncodeToString(sum.Sum(nil)), nil
}
