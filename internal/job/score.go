package job

import (
	"context"
	"fmt"
	"slices"

	"avssnative/avss"
	"avssnative/engine"
	"avssnative/engine/device"
)

// Scoring says what is measured.
type Scoring struct {
	Metrics []string    // removal metrics wanted besides the activation metrics, which all come out of one pass: ppl, kl, greedy
	Mode    avss.Mode   // of AVSS, as it is ranked
	Site    device.Site // of AVSS, as it is ranked
	Eps     float32     // of the paper's sparsity
	Batch   int         // sequences a batch in mode "reference"
	Seed    uint64      // of intervals and the random baseline
	Greedy  int         // layers that the greedy search drops; 0: a quarter of them
	Keep    []int       // layers that the greedy search may not drop
}

// DefaultBatch is the batch of AVSS's mode "reference" unless told otherwise.
const DefaultBatch = 8

// Score measures the layers on the calibration text: all activation metrics in one pass, removal metrics in passes of their own.
func (j *Job) Score(ctx context.Context, s Scoring) error {
	if s.Batch == 0 {
		s.Batch = DefaultBatch
	}
	o := avss.Options{Mode: s.Mode, Site: s.Site, Eps: s.Eps, Batch: s.Batch, Seed: s.Seed}
	if err := j.observe(ctx, o); err != nil {
		return err
	}
	if err := j.remove(ctx, s, o); err != nil {
		return err
	}
	rows, err := avss.Rows(j.avss, j.scores...)
	if err != nil {
		return err
	}
	j.Report.Layers = rows
	j.Report.Scores = map[string]avss.Scores{}
	var cited []string
	for _, scores := range j.scores {
		j.Report.Scores[scores.Key()] = scores
		cited = append(cited, scores.Metric)
	}
	j.Report.References = avss.Bibliography(cited...)
	return nil
}

// observe runs the pass of all activation metrics.
func (j *Job) observe(ctx context.Context, o avss.Options) error {
	defer j.phase("scoring")()
	p := j.pass("scoring")
	p.Sequences = j.calibration
	var metrics []avss.Metric
	for _, info := range avss.Metrics() {
		if info.Kind != avss.Activation {
			continue
		}
		m, err := avss.New(info.Name, o)
		if err != nil {
			return err
		}
		if a, ok := m.(*avss.AVSS); ok {
			j.avss = a
		}
		metrics = append(metrics, m)
		p.Observe = append(p.Observe, m)
	}
	if _, err := j.Model.Run(ctx, p); err != nil {
		return err
	}
	for _, m := range metrics {
		scores, err := m.Scores()
		if err != nil {
			return err
		}
		j.scores = append(j.scores, scores)
	}
	return j.addFormulas(o)
}

// addFormulas adds AVSS by the formulas and sites that were not asked for: robust by the delta, the paper's at every site, the published code's.
func (j *Job) addFormulas(o avss.Options) error {
	type formula struct {
		mode avss.Mode
		site device.Site
	}
	formulas := []formula{{avss.Robust, device.SiteDelta}, {avss.Paper, device.SiteBlock}, {avss.Paper, device.SiteDelta},
		{avss.Paper, device.SiteAttn}, {avss.Paper, device.SiteMLP}, {avss.Paper, device.SiteAct}, {avss.Reference, device.SiteBlock}}
	for _, f := range formulas {
		scores, err := j.avss.Of(f.mode, f.site, o.Eps)
		if err != nil {
			return err
		}
		if len(scores.Values) == 0 || slices.ContainsFunc(j.scores, func(s avss.Scores) bool { return s.Key() == scores.Key() }) {
			continue
		}
		j.scores = append(j.scores, scores)
	}
	return nil
}

// scored is the calibration text with every token but the first of each sequence to be predicted.
func (j *Job) scored() []engine.Sequence {
	sequences := slices.Clone(j.calibration)
	for i := range sequences {
		sequences[i].ScoreFrom, sequences[i].ScoreTo = 1, len(sequences[i].IDs)
	}
	return sequences
}

// remove runs the passes of the removal metrics wanted.
func (j *Job) remove(ctx context.Context, s Scoring, o avss.Options) error {
	if slices.Contains(s.Metrics, "ppl") || slices.Contains(s.Metrics, "kl") {
		end := j.phase("removal of each layer")
		p := j.pass("removal")
		p.Sequences = j.scored()
		losses, err := avss.MeasureRemoval(ctx, j.Model, p, o)
		if err != nil {
			return err
		}
		ppl, err := losses.PPL()
		if err != nil {
			return err
		}
		kl, err := losses.KL()
		if err != nil {
			return err
		}
		j.scores = append(j.scores, ppl, kl)
		end()
	}
	if slices.Contains(s.Metrics, "greedy") {
		end := j.phase("greedy removal")
		count := s.Greedy
		if count == 0 {
			count = max(1, (j.Model.Layers()+2)/4)
		}
		p := j.pass("greedy")
		p.Sequences = j.scored()
		g, err := avss.MeasureGreedy(ctx, j.Model, p, count, s.Keep)
		if err != nil {
			return err
		}
		j.scores = append(j.scores, g.Scores())
		end()
	}
	return nil
}

// find gives the scores of a key, or of a metric whose scores stand under one key.
func (j *Job) find(key string) (avss.Scores, error) {
	var known []string
	for _, s := range j.scores {
		if s.Key() == key {
			return s, nil
		}
		known = append(known, s.Key())
	}
	return avss.Scores{}, fmt.Errorf("metric %q was not measured; measured: %v", key, known)
}
