package avss

// AVSS (arXiv 2411.02117): a layer's importance is the variance of its activations over their sparsity, in three modes at five sites of the
// block, all from one pass. Four faults of the published code are not shared: scores are sorted before anything is cut off, a share of
// layers is not a share of score mass, a layer without sparse activations spoils no other layer's score, and a value counts the same
// wherever it stands (mode "reference" alone weighs as the published code does, on purpose).

import (
	"fmt"
	"math"
	"math/big"

	"avssnative/engine"
	"avssnative/engine/device"
)

// Mode is a formula of AVSS.
type Mode string

const (
	// Robust divides by the residual stream first: each token's values over the RMS of the block's output at that token (site act: over
	// their own). Score = population variance / ((values below 1e-2 + ½) / (values + 1)). It does not change with the scale of the stream,
	// and sparsity cannot be zero.
	Robust Mode = "robust"
	// Paper is the paper's formula: population variance over the share of values below ε. A layer without such values has the score +Inf
	// and goes last.
	Paper Mode = "paper"
	// Reference follows the published code: the mean over each sequence's tokens, its unbiased variance over columns, the mean over the
	// sequences of a batch, the mean over batches; sparsity is averaged the same way. A short last batch weighs as much as a full one.
	Reference Mode = "reference"
)

// Modes are the known ones, the default first.
var Modes = []Mode{Robust, Paper, Reference}

// ParseMode reads a mode's name.
func ParseMode(name string) (Mode, error) {
	for _, m := range Modes {
		if string(m) == name {
			return m, nil
		}
	}
	return "", fmt.Errorf("avss: mode %q is unknown: want robust, paper or reference", name)
}

// Site is a tensor of the block that AVSS scores.
type Site string

const (
	SiteDelta Site = "delta" // what the block adds
	SiteBlock Site = "block" // what leaves it, the residual stream
	SiteAttn  Site = "attn"  // what its mixer adds
	SiteMLP   Site = "mlp"   // what its MLP adds
	SiteAct   Site = "act"   // what enters the MLP's output projection
)

// ParseSite reads a site's name.
func ParseSite(name string) (Site, error) {
	site := Site(name)
	_, err := site.measured()
	return site, err
}

// measured is the site's place among what a device measures.
func (s Site) measured() (device.Site, error) {
	for site := range device.Sites {
		if site.String() == string(s) {
			return site, nil
		}
	}
	return 0, fmt.Errorf("avss: site %q is unknown: want delta, block, attn, mlp or act", string(s))
}

// PaperEps is the threshold of the paper's sparsity.
const PaperEps = 1e-5

func init() {
	Register(Definition{
		builtin: true, Name: "avss",
		About:    "activation variance over sparsity: modes robust, paper, reference at sites delta, block, attn, mlp, act",
		Papers:   []Citation{avssPaper},
		New:      func(_ Definition, o Options) Metric { return NewAVSS(o) },
		Formulas: []string{"avss-paper-block", "avss-paper-delta", "avss-paper-mlp", "avss-paper-act", "avss-reference-block"},
	})
}

// AVSS measures all modes at all sites at once; Options.Mode, Site and Eps say which of them Scores gives, Of gives any.
type AVSS struct {
	base
	moments moments
}

// NewAVSS makes an empty one.
func NewAVSS(o Options) *AVSS {
	if o.Mode == "" {
		o.Mode = Robust
	}
	if o.Site == "" {
		o.Site = SiteDelta
	}
	if o.Eps == 0 {
		o.Eps = PaperEps
	}
	return &AVSS{base: base{name: "avss", options: o}}
}

// Key is that of the scores that Scores gives.
func (a *AVSS) Key() string {
	return Scores{Metric: a.name, Mode: string(a.options.Mode), Site: string(a.options.Site)}.Key()
}

// Wants asks for pooled variances where mode "reference" is to be measured, and for the counts that mode "robust" takes at sites attn and mlp
// where no other mode was named.
func (a *AVSS) Wants() engine.Wants {
	return engine.Wants{Pooled: a.options.Batch > 0, RelativeBelow: a.options.Mode == Robust}
}

// Observe adds one sequence in one layer.
func (a *AVSS) Observe(m *engine.Measurement) error {
	if err := a.moments.thresholds(m.Eps, m.Relative); err != nil {
		return a.errorf("layer %d: %w", m.Layer, err)
	}
	sequence, err := a.observe(m)
	if err != nil {
		return err
	}
	a.moments.grow(m.Layers)
	for site := range device.Sites {
		a.moments.add(m.Layer, site, sequence, &m.Sites[site], a.options.Batch > 0)
	}
	return nil
}

// Merge adds another AVSS.
func (a *AVSS) Merge(other Metric) error {
	o, ok := other.(*AVSS)
	if !ok {
		return a.errorf("a state of %s does not merge", other.Name())
	}
	joined, err := a.coverage.merged(&o.coverage)
	if err != nil {
		return a.errorf("%w", err)
	}
	if err := a.moments.merge(&o.moments); err != nil {
		return a.errorf("%w", err)
	}
	a.coverage = joined
	a.faults.merge(o.faults)
	return nil
}

// Scores are those of the mode, site and threshold in the options.
func (a *AVSS) Scores() (Scores, error) { return a.Of(a.options.Mode, a.options.Site, a.options.Eps) }

// Further are the scores by the formulas and sites that the options do not ask for: robust by the delta, the paper's at every site, and the
// published code's where a batch size is set.
func (a *AVSS) Further() ([]Scores, error) {
	var all []Scores
	formulas := []struct {
		mode Mode
		site Site
	}{{Robust, SiteDelta}, {Paper, SiteBlock}, {Paper, SiteDelta}, {Paper, SiteAttn}, {Paper, SiteMLP}, {Paper, SiteAct}, {Reference, SiteBlock}}
	for _, f := range formulas {
		if a.options.Halves && f.site != SiteDelta && f.site != SiteBlock {
			continue
		}
		if f.mode == Reference && a.options.Batch <= 0 || f.mode == a.options.Mode && f.site == a.options.Site {
			continue
		}
		scores, err := a.Of(f.mode, f.site, a.options.Eps)
		if err != nil {
			return nil, err
		}
		all = append(all, scores)
	}
	return all, nil
}

// Of are the scores by one mode at one site; eps is the threshold of modes paper and reference, one of Pass.Eps (0: 1e-5).
func (a *AVSS) Of(mode Mode, site Site, eps float32) (Scores, error) {
	if err := a.ready(); err != nil {
		return Scores{}, err
	}
	if _, err := ParseMode(string(mode)); err != nil {
		return Scores{}, err
	}
	place, err := site.measured()
	if err != nil {
		return Scores{}, err
	}
	out := Scores{Metric: a.name, Site: string(site), Mode: string(mode), Sequences: a.coverage.sequences(0), References: references(a.name)}
	at := -1
	if mode == Robust {
		out.Eps = widen(a.moments.relative)
	} else {
		if eps == 0 {
			eps = PaperEps
		}
		out.Eps = widen(eps)
		if at, err = a.moments.threshold(eps); err != nil {
			return Scores{}, a.errorf("mode %s: %w", mode, err)
		}
	}
	if mode == Reference && a.options.Batch <= 0 {
		return Scores{}, a.errorf("mode reference: pooled variances are only measured where a batch size is set")
	}
	parts := make([][Buckets]part, a.layers())
	var infinite []int
	for l := range a.layers() {
		cells := a.moments.cells[l][place]
		v, err := 0.0, error(nil)
		if have := int64(len(cells.pooled)); mode == Reference && have < out.Sequences {
			err = fmt.Errorf("pooled variances of %d of %d sequences were measured: set a batch size in every shard", have, out.Sequences)
		} else if mode == Reference {
			v, err = cells.reference(a.options.Batch, at)
			parts[l] = cells.pooledParts(at)
		} else {
			v, err = cells.exact(at)
			parts[l] = cells.parts(at)
		}
		if err != nil {
			return Scores{}, a.errorf("layer %d: site %s: %w", l, site, err)
		}
		if math.IsInf(v, 1) {
			infinite = append(infinite, l)
		}
		out.Values = append(out.Values, v)
	}
	if len(infinite) > 0 {
		which := fmt.Sprintf("layers %v", infinite)
		if a.options.Halves {
			which = "halves " + engine.Halves(infinite...).String()
		}
		out.Notes = append(out.Notes, fmt.Sprintf("%s: no activation at site %s is below %g, so the score is infinite and the layer goes last",
			which, site, float64(out.Eps)))
	}
	out.stability(a.options, occupiedBy(parts), func(w *weights) []float64 {
		scores := make([]float64, len(parts))
		for l := range parts {
			scores[l] = combine(&parts[l], w, mode)
		}
		return scores
	})
	return out, nil
}

// exact is the score of mode robust (at < 0) or paper, rounded once.
func (c *siteCells) exact(at int) (float64, error) {
	variance, n, err := c.variance(at < 0)
	if err != nil {
		return 0, err
	}
	count := c.relativeBelow()
	if at >= 0 {
		count = c.below(at)
	}
	if at >= 0 && count == 0 {
		return math.Inf(1), nil
	}
	sparsity := big.NewRat(count, n)
	if at < 0 && count < 0 {
		return 0, fmt.Errorf("relative values near zero were not counted: mode robust must be asked for when the pass is made")
	}
	if at < 0 {
		sparsity = robustSparsity(count, n)
	}
	score, _ := variance.Quo(variance, sparsity).Float64()
	return score, nil
}

// robustSparsity is (count + ½) / (n + 1).
func robustSparsity(count, n int64) *big.Rat {
	double := new(big.Rat).SetInt64(count)
	double.Add(double, big.NewRat(1, 2))
	return double.Quo(double, new(big.Rat).SetInt64(n+1))
}

// reference is the score of mode reference: batches are the sequences whose numbers agree when divided by the batch size.
func (c *siteCells) reference(batch, at int) (float64, error) {
	variance, sparsity, err := c.batchMeans(batch, at)
	switch {
	case err != nil:
		return 0, err
	case sparsity.Sign() == 0:
		return math.Inf(1), nil
	}
	score, _ := variance.Quo(variance, sparsity).Float64()
	return score, nil
}

// part is what one bucket holds of one layer: rounded, for scores with many weights of the buckets. In mode reference n counts sequences,
// mean is unused, m2 sums variances and count sparsities.
type part struct{ n, mean, m2, count float64 }

// combine is a score for given weights of the buckets, in float64. Where all weights are one it is the exact score but for rounding; in mode
// reference all sequences weigh the same, whatever their batch.
func combine(parts *[Buckets]part, w *weights, mode Mode) float64 {
	var n, sum, count float64
	for b, times := range w {
		if p := &parts[b]; times > 0 && p.n > 0 {
			t := float64(times)
			n += t * p.n
			sum += t * p.n * p.mean
			count += t * p.count
		}
	}
	mean := sum / n
	var m2 float64
	for b, times := range w {
		if p := &parts[b]; times > 0 && p.n > 0 {
			away := p.mean - mean
			m2 += float64(times) * (p.m2 + p.n*away*away)
		}
	}
	if mode == Robust {
		return m2 / n / ((count + 0.5) / (n + 1))
	}
	if count == 0 {
		return math.Inf(1)
	}
	return m2 / count
}

func occupiedBy(parts [][Buckets]part) (occupied []int) {
	for b := range Buckets {
		for l := range parts {
			if parts[l][b].n > 0 {
				occupied = append(occupied, b)
				break
			}
		}
	}
	return occupied
}

// MarshalBinary saves the state.
func (a *AVSS) MarshalBinary() ([]byte, error) {
	var w writer
	a.base.write(&w)
	a.moments.write(&w)
	return Seal(a.name, w.data), nil
}

// UnmarshalBinary replaces the state; on an error it stays as it was.
func (a *AVSS) UnmarshalBinary(data []byte) error {
	payload, err := Unseal(a.name, data)
	if err != nil {
		return err
	}
	fresh := *a
	r := &reader{data: payload}
	fresh.base.read(r)
	fresh.moments.read(r, fresh.layers())
	if err := r.end(a.name); err != nil {
		return err
	}
	*a = fresh
	return nil
}
