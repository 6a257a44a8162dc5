package avss

// What the model loses without each single layer: perplexity (arXiv 2402.02834), divergence from the dense model and the share of tokens it
// would still say (arXiv 2410.14649), all from one pass over the dense model and all its single removals, which share their prefixes.

import (
	"context"
	"fmt"
	"math"

	"avssnative/engine"
)

// eachRemoval is the search that ppl and kl come from together.
var eachRemoval = &Search{Name: "removal of each layer", Run: func(ctx context.Context, r Runner, p engine.Pass, o Options) ([]Scores, error) {
	losses, err := MeasureRemoval(ctx, r, p, o)
	if err != nil {
		return nil, err
	}
	ppl, err := losses.PPL()
	if err != nil {
		return nil, err
	}
	kl, err := losses.KL()
	return []Scores{ppl, kl}, err
}}

func init() {
	Register(Definition{
		builtin: true, Name: "ppl",
		About:  "perplexity of the calibration text without the layer",
		Papers: []Citation{shortened},
		Search: eachRemoval,
	})
	Register(Definition{
		builtin: true, Name: "kl",
		About:  "mean divergence KL(dense ‖ without the layer) of the next token's distribution",
		Unit:   "nats a token",
		Papers: []Citation{evoPress},
		Search: eachRemoval,
	})
}

// TokenPerplexity names the convention of the perplexities here: exp of the mean negative log-likelihood, in nats, over all tokens of the
// calibration sequences that are scored, each sequence on its own.
const TokenPerplexity = "calibration-token"

// Losses holds what was lost without each layer, summed exactly and apart by bucket, so that shards merge to the same bits.
type Losses struct {
	base
	// Row 0 is the dense model, row l+1 the model without layer l.
	loss, divergence, same means
}

// NewLosses makes an empty one, to be merged into or loaded.
func NewLosses(o Options) *Losses { return &Losses{base: base{name: "removal", options: o}} }

// MeasureRemoval runs one pass of p's sequences through the dense model and through all models that lack one layer. Variants, Observe and
// Diverge of p are set here.
func MeasureRemoval(ctx context.Context, r Runner, p engine.Pass, o Options) (*Losses, error) {
	layers := r.Layers()
	p.Variants = []engine.Drop{nil}
	for l := range layers {
		p.Variants = append(p.Variants, engine.Layers(l))
	}
	p.Observe, p.Diverge = nil, true
	outcome, err := r.Run(ctx, p)
	if err != nil {
		return nil, err
	}
	if len(outcome.Scores) != len(p.Variants) {
		return nil, fmt.Errorf("avss: removal: the pass scored %d variants, want %d", len(outcome.Scores), len(p.Variants))
	}
	out := NewLosses(o)
	for v, sequences := range outcome.Scores {
		for i := range sequences {
			if err := out.add(v, layers, int64(i)+o.Offset, total(&sequences[i])); err != nil {
				return nil, err
			}
		}
	}
	return out, nil
}

// total is what a sequence came to, its branches counted.
func total(s *engine.SequenceScore) engine.Score {
	sum := s.Score
	for _, b := range s.Branches {
		sum = sum.Add(b)
	}
	return sum
}

func (l *Losses) add(variant, layers int, sequence int64, s engine.Score) error {
	if err := l.coverage.see(variant, layers+1, sequence); err != nil {
		return l.errorf("%w", err)
	}
	if math.IsNaN(s.LogLikelihood) || math.IsNaN(s.KL) {
		return l.errorf("%s: sequence %d: the loss is not a number", lacking(variant), sequence)
	}
	for _, m := range []*means{&l.loss, &l.divergence, &l.same} {
		m.grow(layers + 1)
	}
	if s.Tokens > 0 {
		l.loss.add(variant, sequence, -s.LogLikelihood, int64(s.Tokens))
		l.divergence.add(variant, sequence, s.KL, int64(s.Tokens))
		l.same.add(variant, sequence, float64(s.SameTop), int64(s.Tokens))
	}
	return nil
}

func lacking(variant int) string {
	if variant == 0 {
		return "the dense model"
	}
	return fmt.Sprintf("without layer %d", variant-1)
}

// Layers is how many layers the model has; 0 where nothing was measured.
func (l *Losses) Layers() int { return max(0, l.layers()-1) }

// means of one quantity: the dense model's, and one a layer removed.
func (l *Losses) means(m *means) (dense float64, without Values, err error) {
	if err := l.coverage.complete(); err != nil {
		return 0, nil, l.errorf("%w", err)
	}
	for i, row := range m.rows {
		var v float64
		if sum, tokens := row.total(); tokens == 0 {
			return 0, nil, l.errorf("no token is scored: set ScoreFrom and ScoreTo of the sequences")
		} else if sum.Finite() {
			mean, err := row.mean()
			if err != nil {
				return 0, nil, l.errorf("%s: %w", lacking(i), err)
			}
			v, _ = mean.Float64()
		} else {
			v = sum.Float64()
		}
		if i == 0 {
			dense = v
		} else {
			without = append(without, v)
		}
	}
	return dense, without, nil
}

// Loss is the mean negative log-likelihood a token, in nats: of the dense model and without each layer. It is infinite where a token was
// impossible.
func (l *Losses) Loss() (dense float64, without Values, err error) { return l.means(&l.loss) }

// SameTop is the share of tokens whose most likely successor is the dense model's, without each layer.
func (l *Losses) SameTop() (Values, error) {
	_, without, err := l.means(&l.same)
	return without, err
}

// PPL are perplexities without each layer.
func (l *Losses) PPL() (Scores, error) {
	scores, err := l.scores("ppl", &l.loss, math.Exp)
	scores.Mode = TokenPerplexity
	return scores, err
}

// KL are divergences from the dense model without each layer, in nats a token.
func (l *Losses) KL() (Scores, error) {
	return l.scores("kl", &l.divergence, func(v float64) float64 { return v })
}

func (l *Losses) scores(name string, m *means, turn func(float64) float64) (Scores, error) {
	dense, without, err := l.means(m)
	if err != nil {
		return Scores{}, err
	}
	out := Scores{Metric: name, Dense: Value(turn(dense)), Sequences: l.coverage.sequences(0), References: references(name)}
	for _, v := range without {
		out.Values = append(out.Values, turn(v))
	}
	rows := make([]int, len(without))
	for i := range rows {
		rows[i] = i + 1
	}
	values, occupied := m.resampled(rows)
	out.stability(l.options, occupied, func(w *weights) []float64 {
		drawn := values(w)
		for i := range drawn {
			drawn[i] = turn(drawn[i])
		}
		return drawn
	})
	return out, nil
}

// Merge adds what another shard has measured.
func (l *Losses) Merge(o *Losses) error {
	joined, err := l.coverage.merged(&o.coverage)
	if err != nil {
		return l.errorf("%w", err)
	}
	l.coverage = joined
	l.loss.merge(&o.loss)
	l.divergence.merge(&o.divergence)
	l.same.merge(&o.same)
	return nil
}

// MarshalBinary saves the state; equal states as equal bytes.
func (l *Losses) MarshalBinary() ([]byte, error) {
	var w writer
	l.base.write(&w)
	for _, m := range []*means{&l.loss, &l.divergence, &l.same} {
		m.write(&w)
	}
	return Seal(l.name, w.data), nil
}

// UnmarshalBinary replaces the state; on an error it stays as it was.
func (l *Losses) UnmarshalBinary(data []byte) error {
	payload, err := Unseal(l.name, data)
	if err != nil {
		return err
	}
	fresh := *l
	r := &reader{data: payload}
	fresh.base.read(r)
	for _, m := range []*means{&fresh.loss, &fresh.divergence, &fresh.same} {
		m.read(r, fresh.layers())
	}
	if err := r.end(l.name); err != nil {
		return err
	}
	*l = fresh
	return nil
}
