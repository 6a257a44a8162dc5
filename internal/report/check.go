package report

// What a saved report may say. Nothing that renders has to doubt a number or a reference after this: layers are layers there are, lists that
// belong together are of one length, numbers are what their names say, and there are not more of anything than can be shown.

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"avssnative/avss"
	"avssnative/internal/report/escape"
	"avssnative/prune"
)

const (
	maxLayers   = 1 << 16 // of a model
	maxTasks    = 1 << 16
	maxPoints   = 1 << 16 // of a sweep
	maxRankings = 1 << 12 // scores, plans, metrics of a sweep
	maxCells    = 1 << 22 // of one table
	maxCount    = 1 << 53 // parameters, bytes, tokens: what a float64 counts exactly
	// barely is how far rounding may take a mean beyond its bounds.
	barely = 1e-6
)

// checker keeps the first thing that is wrong.
type checker struct{ err error }

func (c *checker) fail(field, format string, arguments ...any) {
	if c.err == nil {
		c.err = fmt.Errorf("%s: %s", escape.Terminal(field), fmt.Sprintf(format, arguments...))
	}
}

// number refuses what is no number from low to high.
func (c *checker) number(v, low, high float64, path ...string) {
	if !(low <= v && v <= high) {
		c.fail(strings.Join(path, "."), "%v, want a number from %g to %g", v, low, high)
	}
}

// maybe is number where there may be none (null).
func (c *checker) maybe(v avss.Value, low, high float64, path ...string) {
	if !math.IsNaN(float64(v)) {
		c.number(float64(v), low, high, path...)
	}
}

func (c *checker) count(n int64, most int64, path ...string) {
	if n < 0 || n > most {
		c.fail(strings.Join(path, "."), "%d, want 0 to %d", n, most)
	}
}

func (c *checker) length(what string, n, most int) {
	if n > most {
		c.fail(what, "%d of them, want %d at most", n, most)
	}
}

// layers says which of some layers a model does not have, or which comes twice.
func (c *checker) layers(some []int, layers int, field string) {
	before := -1
	for _, layer := range some {
		if layer < 0 || layer >= layers {
			c.fail(field, "layer %d of a model with %d", layer, layers)
			return
		}
		if layer <= before {
			c.fail(field, "layer %d behind layer %d, want them ascending", layer, before)
			return
		}
		before = layer
	}
}

// check says what is wrong with a report, naming the field.
func (r *Report) check() error {
	c := &checker{}
	c.count(int64(r.Model.Layers), maxLayers, "model.layers")
	if c.err != nil { // everything below counts by it
		return c.err
	}
	c.count(int64(r.Model.Hidden), maxCount, "model.hidden")
	c.count(r.Model.Parameters, maxCount, "model.parameters")
	c.count(r.Model.Bytes, maxCount, "model.bytes")
	c.count(int64(r.Device.Threads), maxCount, "device.threads")
	if k := r.Calibration; k != nil {
		c.count(k.Sequences, maxCount, "calibration.sequences")
		c.count(k.Tokens, maxCount, "calibration.tokens")
	}
	c.unit(r.Unit, "unit")
	r.checkScores(c)
	r.checkLayers(c)
	c.length("others", len(r.Others), maxRankings)
	if r.Plan != nil {
		c.plan(r.Plan, unitsOf(r.Model.Layers, r.Plan.Unit))
	}
	for i := range r.Others {
		c.plan(&r.Others[i], unitsOf(r.Model.Layers, r.Others[i].Unit))
	}
	r.checkTasks(c)
	if k := r.Retention; k != nil {
		c.retention(k, "retention")
	}
	if d := r.Divergence; d != nil {
		c.divergence(d, "divergence")
	}
	c.texts(r.Texts, r.Model.Layers)
	c.settled(r.Settled, r.rows())
	c.repair(r.Repair)
	c.alternatives(r.Alternatives)
	r.checkCost(c)
	for i, g := range r.Generation {
		c.number(g.RepeatsDense, 0, 1, fmt.Sprintf("generation[%d]", i), "repeat_rate_dense")
		c.number(g.Repeats, 0, 1, fmt.Sprintf("generation[%d]", i), "repeat_rate")
	}
	if f := r.Fluency; f != nil {
		c.fluency(&f.Dense, "fluency.dense")
		if f.Pruned != nil {
			c.fluency(f.Pruned, "fluency.pruned")
		}
	}
	if a := r.Aimed; a != nil {
		c.length("target.tried", len(a.Tried), maxCells)
		c.count(int64(a.Count), maxCount, "target.count")
		c.number(a.Value, 0, maxCount, "target.value")
		for i, m := range a.Tried {
			c.number(m.Value, 0, maxCount, fmt.Sprintf("target.tried[%d]", i))
		}
	}
	if r.Sweep != nil {
		c.sweep(r.Sweep)
	}
	return c.err
}

func (r *Report) checkScores(c *checker) {
	layers := r.rows()
	c.length("scores", len(r.Scores), maxRankings)
	c.length("scores: numbers", len(r.Scores)*layers, maxCells)
	for key, s := range r.Scores {
		field := "scores." + key
		if len(s.Values) != layers {
			c.fail(field+".values", "%d values for %d layers", len(s.Values), layers)
		}
		if n := len(s.Low); n != 0 && n != layers {
			c.fail(field+".low", "%d values for %d layers", n, layers)
		}
		if len(s.Low) != len(s.High) {
			c.fail(field, "%d low ends of intervals and %d high ones", len(s.Low), len(s.High))
		}
		if c.err != nil {
			return
		}
		for layer := range s.Low {
			if s.Low[layer] > s.High[layer] {
				c.fail(fmt.Sprintf("%s.low[%d]", field, layer), "%v, the high end is %v", s.Low[layer], s.High[layer])
			}
		}
		c.maybe(s.Tau, -1-barely, 1+barely, field, "tau")
		c.count(s.Sequences, maxCount, field, "sequences")
	}
}

func (r *Report) checkLayers(c *checker) {
	if n := len(r.Layers); n != 0 && n != r.rows() {
		c.fail("layers", "%d rows for %d layers", n, r.rows())
	}
	for i, row := range r.Layers {
		if row.Index != i {
			c.fail(fmt.Sprintf("layers[%d]", i), "index %d", row.Index)
		}
		for name, s := range row.Sites {
			for what, v := range map[string]avss.Value{"variance": s.Variance, "relative_variance": s.RelativeVariance} {
				if v < 0 {
					c.fail(fmt.Sprintf("layers[%d].sites.%s.%s", i, name, what), "%v, want 0 or more", v)
				}
			}
			if v := s.RelativeSparsity; v < 0 || v > 1 {
				c.fail(fmt.Sprintf("layers[%d].sites.%s.relative_sparsity", i, name), "%v, want a share from 0 to 1", v)
			}
		}
	}
}

// unit refuses units that there are none of.
func (c *checker) unit(unit, field string) {
	if unit != "" && unit != prune.Sublayer {
		c.fail(field, "%.40q, want none (layers) or %s", unit, prune.Sublayer)
	}
}

func (c *checker) plan(p *prune.Plan, layers int) {
	c.unit(p.Unit, "plan "+p.Metric+": unit")
	c.layers(p.Dropped, layers, "plan "+p.Metric+": dropped")
	c.layers(p.Kept, layers, "plan "+p.Metric+": kept")
}

func (r *Report) checkTasks(c *checker) {
	c.length("tasks", len(r.Tasks), maxTasks)
	for i := range r.Tasks {
		t := &r.Tasks[i]
		if (t.Pruned == nil) != (t.Change == nil) {
			c.fail("tasks."+t.Name, "pruned and retention: want both or neither")
		}
		if (t.Pruned == nil) != (r.Tasks[0].Pruned == nil) {
			c.fail("tasks."+t.Name, "pruned: want it of every task or of none")
		}
		c.count(int64(t.N), maxCount, "tasks", t.Name, "n")
		c.count(int64(t.MaxLength), maxCount, "tasks", t.Name, "max_length")
		c.number(t.Chance, 0, 1, "tasks", t.Name, "chance")
		c.figure(t.Dense, "tasks", t.Name, "dense")
		c.answers(t.Answers, "tasks."+t.Name+".answers")
		if t.Pruned == nil || t.Change == nil {
			continue
		}
		c.figure(*t.Pruned, "tasks", t.Name, "pruned")
		c.maybe(t.Retention, 0, math.Inf(1), "tasks", t.Name, "retention")
		c.span(t.RetentionSpan, "tasks", t.Name, "retention_interval")
		c.span(t.CorrectedSpan, "tasks", t.Name, "retention_chance_corrected_interval")
		c.maybe(t.P, 0, 1+barely, "tasks", t.Name, "p_value")
		c.maybe(t.Flips, 0, 1, "tasks", t.Name, "flips")
		c.count(int64(t.FewShot), maxCount, "tasks", t.Name, "few_shot")
		c.divergence(&Divergence{KL: t.KL, SameTop: t.SameTop}, "tasks", t.Name)
	}
}

// figure refuses what no accuracy and no perplexity is. Neither has an upper bound here: the perplexity of a broken model is infinite.
func (c *checker) figure(f Figure, path ...string) {
	c.maybe(f.Value, 0, math.Inf(1), append(path, "value")...)
	c.maybe(f.Stderr, 0, math.Inf(1), append(path, "stderr")...)
}

func (c *checker) retention(k *Retention, path ...string) {
	c.maybe(k.MeanOfRatios, 0, math.Inf(1), append(path, "mean_of_ratios")...)
	c.maybe(k.RatioOfMeans, 0, math.Inf(1), append(path, "ratio_of_means")...)
	c.span(k.RatiosSpan, append(path, "mean_of_ratios_interval")...)
	c.span(k.CorrectedSpan, append(path, "mean_of_ratios_chance_corrected_interval")...)
}

// span refuses an interval that ends before it begins.
func (c *checker) span(s *Span, path ...string) {
	if s != nil && s.Low > s.High {
		c.fail(strings.Join(path, "."), "%v to %v, want the lower end first", s.Low, s.High)
	}
}

// maxChoices is how many choices an item may have.
const maxChoices = 1 << 10

// answers refuses shares that belong to different choices.
func (c *checker) answers(a *Answers, field string) {
	if a == nil {
		return
	}
	c.length(field, len(a.Dense), maxChoices)
	if len(a.Right) != len(a.Dense) || a.Pruned != nil && len(a.Pruned) != len(a.Dense) || len(a.Choices) > len(a.Dense) {
		c.fail(field, "%d choices right, %d of the dense model, %d of the pruned one, %d texts: want as many of each", len(a.Right), len(a.Dense),
			len(a.Pruned), len(a.Choices))
	}
	for _, share := range slices.Concat(a.Right, a.Dense, a.Pruned) {
		c.number(share, 0, 1+barely, field)
	}
}

// alternatives refuses what no coarser model is.
func (c *checker) alternatives(all []Alternative) {
	c.length("alternatives", len(all), maxAlternatives)
	for i := range all {
		a := &all[i]
		field := fmt.Sprintf("alternatives[%d]", i)
		c.count(a.Bytes, maxCount, field, "bytes")
		c.length(field+".tensors", len(a.Tensors), maxAlternatives)
		if a.Divergence != nil {
			c.divergence(a.Divergence, field, "divergence")
		}
		if a.Retention != nil {
			c.retention(a.Retention, field, "retention")
		}
	}
}

// maxAlternatives is more than there are types.
const maxAlternatives = 64

// maxKL is more than logits that a float32 holds can differ by.
const maxKL = 1e39

func (c *checker) divergence(d *Divergence, path ...string) {
	path = slices.Clip(path)
	c.number(d.KL, -barely, maxKL, append(path, "kl")...)
	c.number(d.Stderr, 0, maxKL, append(path, "kl_stderr")...)
	c.number(d.SameTop, 0, 1+barely, append(path, "same_top")...)
	c.count(int64(d.Tokens), maxCount, append(path, "tokens")...)
}

func (r *Report) checkCost(c *checker) {
	if s := r.Size; s != nil {
		c.count(s.ParametersDense, maxCount, "size.parameters_dense")
		c.count(s.ParametersPruned, maxCount, "size.parameters_pruned")
		c.count(s.BytesDense, maxCount, "size.bytes_dense")
		c.count(s.BytesPruned, maxCount, "size.bytes_pruned")
	}
	if s := r.Speed; s != nil {
		c.number(s.TokensPerSecondDense, 0, maxCount, "speed.tokens_per_s_dense")
		c.number(s.TokensPerSecondPruned, 0, maxCount, "speed.tokens_per_s_pruned")
		c.number(s.GeneratedPerSecondDense, 0, maxCount, "speed.generated_per_s_dense")
		c.number(s.GeneratedPerSecondPruned, 0, maxCount, "speed.generated_per_s_pruned")
		c.count(int64(s.CacheTokens), maxCount, "speed.cache_tokens")
		c.count(s.CacheBytesDense, maxCount, "speed.cache_bytes_dense")
		c.count(s.CacheBytesPruned, maxCount, "speed.cache_bytes_pruned")
		c.count(s.PeakRSS, maxCount, "speed.peak_rss_bytes")
		c.length("speed.seconds", len(s.Seconds), maxTasks)
		for _, phase := range s.Seconds {
			c.number(phase.Seconds, 0, maxCount, "speed.seconds", phase.Name)
		}
	}
}

func (c *checker) fluency(f *Fluency, field string) {
	c.count(int64(f.Texts), maxCount, field+".texts")
	c.number(f.Tokens, 0, maxCount, field, "mean_tokens")
	c.length(field+".scripts", len(f.Scripts), maxRankings)
	for _, share := range append(slices.Collect(maps.Values(f.Scripts)), f.Repeats, f.Distinct1, f.Distinct2, f.Distinct3, f.OtherScript) {
		c.number(share, 0, 1+barely, field, "shares")
	}
}
