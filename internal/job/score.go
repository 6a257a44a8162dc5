package job

import (
	"context"
	"errors"
	"slices"

	"avssnative/avss"
	"avssnative/engine"
	"avssnative/failure"
	"avssnative/internal/report"
	"avssnative/internal/shard"
	"avssnative/prune"
)

// Scoring says what is measured.
type Scoring struct {
	Metrics []string  // removal metrics wanted besides the activation metrics, which all come out of one pass
	Mode    avss.Mode // of AVSS, as it is ranked; "": robust
	Site    avss.Site // of AVSS, as it is ranked; "": delta
	Eps     float32   // of the paper's sparsity; 0: 1e-5
	Batch   int       // sequences a batch in mode "reference"; 0: DefaultBatch
	Seed    uint64    // of intervals and the random baseline
	Greedy  int       // layers that the greedy search drops; 0: a quarter of them
	Keep    []int     // layers that the searches may not drop
	Search  avss.Seeking
	Settle  *Settling `json:",omitempty"` // text is taken until the set is settled (after CalibrateGrowing); nil: it is what it is
}

// DefaultBatch is the batch of AVSS's mode "reference" unless told otherwise.
const DefaultBatch = 8

// Score measures the layers on the calibration text: all activation metrics in one pass, removal metrics in passes of their own.
func (j *Job) Score(ctx context.Context, s Scoring) error {
	if s.Batch == 0 {
		s.Batch = DefaultBatch
	}
	o := avss.Options{Mode: s.Mode, Site: s.Site, Eps: s.Eps, Batch: s.Batch, Seed: s.Seed, Rounds: s.Greedy, Keep: s.Keep,
		Halves: j.Unit == prune.Sublayer, Search: s.Search}
	if err := j.note("scoring", []any{s, j.Unit}); err != nil {
		return err
	}
	// What a shard of one phase lacks keeps it from no other phase.
	var missing *shard.Missing
	if err := j.observe(ctx, s, o); err != nil && !errors.As(err, &missing) {
		return err
	}
	if err := j.remove(ctx, s.Metrics, o, &missing); err != nil {
		return err
	}
	if missing != nil {
		return missing
	}
	rows, err := avss.Rows(j.avss, j.scores...)
	if err != nil {
		return err
	}
	j.Report.Layers, j.Report.Unit = rows, j.Unit
	j.Report.Scores = map[string]avss.Scores{}
	var cited []string
	for _, scores := range j.scores {
		j.Report.Scores[scores.Key()] = scores
		j.explain(scores.Metric)
		cited = append(cited, scores.Metric)
	}
	j.Report.References = avss.Bibliography(cited...)
	return nil
}

// explain notes what a reader of the report cannot know of a metric: one that came from outside.
func (j *Job) explain(metric string) {
	d, err := avss.Lookup(metric)
	if err != nil || d.Builtin() {
		return
	}
	if j.Report.Metrics == nil {
		j.Report.Metrics = map[string]report.Metric{}
	}
	j.Report.Metrics[metric] = report.About(d)
}

// observe runs the pass of all activation metrics.
func (j *Job) observe(ctx context.Context, s Scoring, o avss.Options) error {
	defer j.phase("scoring")()
	var draws draws
	if s.Settle != nil {
		o.Drawn = draws.see
	}
	watched := j.watching(o, 0)
	for _, w := range watched {
		if a, ok := w.all.(*avss.AVSS); ok {
			j.avss = a
		}
	}
	if err := j.watch(ctx, watched, o, 0); err != nil {
		return err
	}
	if s.Settle != nil {
		if err := j.settle(ctx, watched, o, s.Settle, &draws); err != nil {
			return err
		}
	}
	draws.done = true
	all, err := measuredBy(watched, func(w *watchedMetric) avss.Metric { return w.all })
	if err != nil {
		return err
	}
	j.scores = append(j.scores, all...)
	return j.scoreTexts(watched)
}

// scored is a text with every token but the first of each sequence to be predicted.
func scored(text []engine.Sequence) []engine.Sequence {
	sequences := slices.Clone(text)
	for i := range sequences {
		sequences[i].ScoreFrom, sequences[i].ScoreTo = 1, len(sequences[i].IDs)
	}
	return sequences
}

// remove runs the passes of the removal metrics wanted; those that come from one search are measured together. Parts that are missing are noted.
func (j *Job) remove(ctx context.Context, wanted []string, o avss.Options, missing **shard.Missing) error {
	var done []*avss.Search
	for _, d := range avss.Metrics(avss.Removal) {
		if !slices.Contains(wanted, d.Name) || slices.Contains(done, d.Search) {
			continue
		}
		done = append(done, d.Search)
		end := j.phase(d.Search.Name)
		p := j.pass(d.Search.Name)
		p.Sequences = scored(j.calibration)
		runner := j.scorer()
		if d.Name == prune.SearchName {
			if *missing != nil { // what the scores propose is not known yet, and with it the search's own passes
				end()
				continue
			}
			p.Sequences = j.searched()
			o.Search.Proposals, o.Search.Notice = j.proposals(o), j.Found
		}
		kept := &recorded{Runner: runner}
		if d.Search.Streams && (d.Search.Walk == 0 || j.alone()) {
			runner = j.searching()
		} else if j.texts != nil && !d.Rounds {
			runner = kept
		}
		scores, err := d.Search.Run(ctx, runner, p, o)
		if err != nil && !errors.As(err, missing) {
			return err
		}
		j.scores = append(j.scores, scores...)
		if err == nil {
			if err := j.removeTexts(ctx, d, kept, p, o); err != nil {
				return err
			}
		}
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
	return avss.Scores{}, failure.NotFound.Errorf("metric %q was not measured; measured: %v", key, known)
}
