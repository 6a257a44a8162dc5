package engine

import (
	"context"
	"fmt"
	"math"

	"avssnative/engine/arch"
	"avssnative/engine/device"
)

// headRows and headVariants bound the tile of rows and variants that is taken through the head together.
const headRows, headVariants = 512, 16

// owner says whose score a target counts for.
type owner struct {
	sequence int
	branch   int // −1: the sequence's own tokens
}

// targets lists what the head shall look up: rows of the hidden tensors, and for each row the tokens wanted there.
type targets struct {
	rows    []int32
	offsets []int32
	tokens  []int32
	owners  []owner
}

// targets reads off the packing which row predicts which scored token.
func (w *walker) targets() *targets {
	t := &targets{offsets: []int32{0}}
	for i := range w.packing.scoredGroups {
		f := &w.packing.groups[i]
		s := &w.pass.Sequences[f.sequence]
		add := func(row int, want func()) {
			before := len(t.tokens)
			want()
			if len(t.tokens) > before {
				t.rows = append(t.rows, int32(f.start+row))
				t.offsets = append(t.offsets, int32(len(t.tokens)))
			}
		}
		token := func(id int32, branch int) {
			t.tokens = append(t.tokens, id)
			t.owners = append(t.owners, owner{f.sequence, branch})
		}
		for row := range s.IDs {
			add(row, func() {
				if next := row + 1; next < s.ScoreTo && next >= s.ScoreFrom {
					token(s.IDs[next], -1)
				}
				if row == len(s.IDs)-1 {
					for b, branch := range s.Branches {
						token(branch[0], b)
					}
				}
			})
		}
		at := len(s.IDs)
		for b, branch := range s.Branches {
			for j := 1; j < len(branch); j++ {
				add(at, func() { token(branch[j], b) })
				at++
			}
		}
	}
	return t
}

// head scores every state of the walk.
func (w *walker) head(ctx context.Context) error {
	spec := w.model.Spec
	w.step.Layer = w.step.Layers
	weights, err := w.model.load(w.device, w.model.Tensors, spec.HeadRefs)
	if err != nil {
		return err
	}
	defer w.done(weights)
	w.outcome.WeightBytes += weights.bytes
	if spec.Head.Classify != nil {
		return w.classify(weights)
	}
	if w.watch && w.pass.Trace != nil {
		if err := w.traceLogits(weights); err != nil {
			return err
		}
	}
	wanted := w.targets()
	var due []headTile
	for first := 0; first < len(wanted.rows); first += headRows {
		last := min(first+headRows, len(wanted.rows))
		for at := 0; at < len(w.states); at += headVariants {
			if err := ctx.Err(); err != nil {
				return err
			}
			states := w.states[at:min(at+headVariants, len(w.states))]
			extra := 0
			if w.pass.Diverge && at > 0 {
				states, extra = append([]state{w.states[0]}, states...), 1
			}
			due = append(due, w.askHead(weights, wanted, first, last, states, extra))
			if err := asked(w.device); err != nil {
				return fmt.Errorf("engine: head: %w", err)
			}
			if queues(w.device, len(due)) {
				continue
			}
			if err := w.countHead(weights, wanted, due); err != nil {
				return err
			}
			due = nil
		}
	}
	return w.countHead(weights, wanted, due)
}

// headTile is rows of some states on their way through the head; the first `extra` states are there only to compare with.
type headTile struct {
	*device.Head
	rows   []int32
	begin  int32 // of its targets
	states []state
	extra  int
}

// askHead asks for rows first to last of the wanted ones in some states.
func (w *walker) askHead(weights *layerWeights, wanted *targets, first, last int, states []state, extra int) headTile {
	spec := w.model.Spec
	rows := wanted.rows[first:last]
	begin, end := wanted.offsets[first], wanted.offsets[last]
	h := &device.Head{Weight: weights.matrices[&spec.Head.Output.Weight], Bias: weights.vector(&spec.Head.Output.Bias), Scale: spec.Head.Scale,
		SoftCap: spec.Head.SoftCap, Targets: wanted.tokens[begin:end], Diverge: w.pass.Diverge && len(states) > 1}
	for _, o := range wanted.offsets[first : last+1] {
		h.Offsets = append(h.Offsets, o-begin)
	}
	f := &forward{device: w.device, weights: weights, pool: w.pool, rows: len(rows)}
	for _, s := range states {
		x := f.take(spec.Hidden)
		w.device.Gather(x, s.hidden, rows)
		h.X = append(h.X, f.final(x, spec))
	}
	w.device.Head(h)
	f.give(h.X...)
	return headTile{h, rows, begin, states, extra}
}

// countHead waits for the head and counts what it says.
func (w *walker) countHead(weights *layerWeights, wanted *targets, due []headTile) error {
	if err := w.device.Sync(); err != nil {
		return fmt.Errorf("engine: head: %w", err)
	}
	for _, t := range due {
		if err := w.countTile(weights, wanted, t); err != nil {
			return err
		}
		w.advance(len(t.rows) * (len(t.states) - t.extra))
	}
	return nil
}

func (w *walker) countTile(weights *layerWeights, wanted *targets, h headTile) error {
	var overlaps [][]float64
	if w.pass.Overlap > 0 {
		var err error
		if overlaps, err = w.overlaps(weights, h.rows, h.states); err != nil {
			return err
		}
	}
	for i := h.extra; i < len(h.states); i++ {
		for r := range h.rows {
			row := h.Rows[i][r]
			for t := h.Offsets[r]; t < h.Offsets[r+1]; t++ {
				score := Score{Tokens: 1, LogLikelihood: h.LogProbs[i][t]}
				if row.Top == h.Targets[t] {
					score.Hits = 1
				}
				if h.Diverge {
					score.KL = row.KL
					if row.Top == h.Rows[0][r].Top {
						score.SameTop = 1
					}
				}
				if overlaps != nil {
					score.Overlap = overlaps[i][r]
				}
				if math.IsNaN(score.LogLikelihood) || math.IsNaN(score.KL) || math.IsNaN(score.Overlap) {
					return w.model.notNumbers("logits")
				}
				w.count(h.states[i].variants, wanted.owners[int(h.begin)+int(t)], score)
			}
		}
	}
	return nil
}

// count adds a target's score to its owner's.
func (w *walker) count(variants []int, o owner, score Score) {
	for _, v := range variants {
		of := &w.scores[v][o.sequence]
		if o.branch < 0 {
			of.Score = of.Score.Add(score)
		} else {
			of.Branches[o.branch] = of.Branches[o.branch].Add(score)
		}
	}
}

// final takes gathered rows through the final norm and projection; x belongs to the pool and so does what is returned.
func (f *forward) final(x device.Tensor, spec *arch.Spec) device.Tensor {
	f.norm(x, x, &spec.Final)
	if spec.Head.Project.Weight.Name == "" {
		return x
	}
	projected := f.linear(x, &spec.Head.Project)
	f.give(x)
	return projected
}

// traceLogits shows the whole logits of the first state's sequences.
func (w *walker) traceLogits(weights *layerWeights) error {
	spec := w.model.Spec
	s := w.states[0]
	for i := range s.groups {
		group := &w.packing.groups[i]
		if w.pass.Sequences[group.sequence].Silent {
			continue
		}
		f := &forward{device: w.device, weights: weights, pool: w.pool, rows: group.rows}
		x := f.take(spec.Hidden)
		w.copyRows(x, s.hidden.Slice(group.start, group.rows))
		x = f.final(x, spec)
		logits := f.linear(x, &spec.Head.Output)
		values := make([]float32, group.rows*logits.Cols())
		w.device.Download(values, logits, 0)
		err := w.device.Sync()
		f.give(x, logits)
		if err != nil {
			return err
		}
		capped(values, spec)
		t := TraceTensor{Name: "logits", Sequence: group.sequence, Rows: group.rows, Cols: len(values) / group.rows, Values: values}
		if err := w.pass.Trace(t); err != nil {
			return err
		}
	}
	return nil
}

// classify computes the label logits of every sequence from its first token's row.
func (w *walker) classify(weights *layerWeights) error {
	spec := w.model.Spec
	for number, s := range w.states {
		rows := make([]int32, s.groups)
		for i := range rows {
			rows[i] = int32(w.packing.groups[i].start)
		}
		f := &forward{device: w.device, weights: weights, pool: w.pool, rows: len(rows)}
		x := f.take(spec.Hidden)
		w.device.Gather(x, s.hidden, rows)
		x = f.final(x, spec)
		pooled := f.linear(x, &spec.Head.Classify.Dense)
		w.device.Activate(pooled, pooled, nil, spec.Head.Classify.Activation)
		logits := f.linear(pooled, &spec.Head.Output)
		labels := logits.Cols()
		values := make([]float32, len(rows)*labels)
		w.device.Download(values, logits, 0)
		err := w.device.Sync()
		f.give(x, pooled, logits)
		if err != nil {
			return fmt.Errorf("engine: classifier: %w", err)
		}
		for i := range rows {
			sequence := w.packing.groups[i].sequence
			own := values[i*labels : (i+1)*labels]
			for _, v := range own {
				if math.IsNaN(float64(v)) {
					return w.model.notNumbers("labels")
				}
			}
			if number == 0 && w.watch && w.pass.Trace != nil && !w.pass.Sequences[sequence].Silent {
				if err := w.pass.Trace(TraceTensor{Name: "logits", Sequence: sequence, Rows: 1, Cols: labels, Values: own}); err != nil {
					return err
				}
			}
			for _, v := range s.variants {
				for _, value := range own {
					w.scores[v][sequence].Labels = append(w.scores[v][sequence].Labels, float64(value))
				}
			}
		}
		w.advance(len(rows))
	}
	return nil
}
