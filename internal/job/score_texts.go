package job

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"avssnative/avss"
	"avssnative/engine"
	"avssnative/failure"
)

// Scores of several texts from the passes that score them together: every metric watches each text by itself, and the states, which are exact,
// merge to what one that had seen all would hold. A text's own scores are by its even sequences; the odd ones are what sets are compared on.
// Searches of one pass are answered once more from what that pass came to.

// watchedMetric is an activation metric as it watches a pass.
type watchedMetric struct {
	all   avss.Metric
	parts []avss.Metric // the even sequences of each text, and the odd ones of all; of one text all alone
}

// watching makes the activation metrics that watch a pass whose first sequence has a number among all that are scored.
func (j *Job) watching(o avss.Options, first int) []*watchedMetric {
	var watched []*watchedMetric
	o.Offset = int64(first)
	apart := o
	apart.Drawn = nil // of all texts alone
	for _, d := range avss.Metrics(avss.Activation) {
		w := &watchedMetric{all: d.New(d, o)}
		w.parts = []avss.Metric{w.all}
		if j.texts != nil {
			w.parts = nil
			for text := range j.texts.Parts {
				w.parts = append(w.parts, avss.Part(d.New(d, apart), func(s int) bool { return j.scoresText(first+s, text) }))
			}
			w.parts = append(w.parts, avss.Part(d.New(d, apart), func(s int) bool { return (first+s)%2 == 1 }))
		}
		watched = append(watched, w)
	}
	return watched
}

// scoresText says whether a text is scored by a sequence.
func (j *Job) scoresText(sequence, text int) bool {
	return sequence%2 == 0 && j.texts.Of[sequence] == text
}

// watch walks the sequences of the calibration text from a number on, and adds what the metrics see to those that have seen the ones before.
func (j *Job) watch(ctx context.Context, watched []*watchedMetric, o avss.Options, first int) error {
	p := j.pass("scoring")
	p.Sequences = j.calibration[first:]
	fresh := j.watching(o, first)
	for _, w := range fresh {
		for _, m := range w.parts {
			p.Observe = append(p.Observe, m)
		}
	}
	if err := j.summing(first == 0, func() error { _, err := j.scorer().Run(ctx, p); return err }); err != nil {
		return err
	}
	for i, w := range watched {
		for k, m := range fresh[i].parts {
			if err := w.all.Merge(avss.Whole(m)); err != nil {
				return err
			}
			if j.texts == nil {
				continue
			}
			if err := avss.Whole(w.parts[k]).Merge(avss.Whole(m)); err != nil {
				return err
			}
		}
	}
	return nil
}

// scoreTexts are the scores of each text.
func (j *Job) scoreTexts(watched []*watchedMetric) error {
	if j.texts == nil {
		return nil
	}
	j.byText = make([][]avss.Scores, len(j.texts.Parts))
	for text := range j.texts.Parts {
		scores, err := measuredBy(watched, func(w *watchedMetric) avss.Metric { return avss.Whole(w.parts[text]) })
		if err != nil {
			return fmt.Errorf("%s: %w", j.texts.Parts[text].Source, err)
		}
		j.byText[text] = scores
	}
	return nil
}

// measuredBy are the scores of metrics: by what each ranks by first, then by all its other formulas.
func measuredBy(watched []*watchedMetric, metric func(*watchedMetric) avss.Metric) (all []avss.Scores, err error) {
	for _, w := range watched {
		scores, err := metric(w).Scores()
		if err != nil {
			return nil, err
		}
		all = append(all, scores)
	}
	for _, w := range watched {
		if several, ok := metric(w).(avss.Several); ok {
			further, err := several.Further()
			if err != nil {
				return nil, err
			}
			all = append(all, further...)
		}
	}
	return all, nil
}

// recorded keeps what passes come to.
type recorded struct {
	avss.Runner
	outcomes []*engine.Outcome
}

// Run runs a pass.
func (r *recorded) Run(ctx context.Context, p engine.Pass) (*engine.Outcome, error) {
	if len(p.Observe) > 0 {
		r.outcomes = append(r.outcomes, nil)
		return r.Runner.Run(ctx, p)
	}
	outcome, err := r.Runner.Run(ctx, p)
	r.outcomes = append(r.outcomes, outcome)
	return outcome, err
}

// replayed answers passes over some of the sequences by what the passes over all of them came to.
type replayed struct {
	*recorded
	sequences []int
	next      int
}

// Run answers a pass.
func (r *replayed) Run(_ context.Context, p engine.Pass) (*engine.Outcome, error) {
	if r.next >= len(r.outcomes) || r.outcomes[r.next] == nil || len(r.outcomes[r.next].Scores) != len(p.Variants) ||
		len(p.Sequences) != len(r.sequences) {
		return nil, failure.Unsupported.Errorf("pass %d of one text is none of those of all texts", r.next)
	}
	whole := r.outcomes[r.next]
	r.next++
	part := *whole
	part.Scores = make([][]engine.SequenceScore, len(whole.Scores))
	for v, scores := range whole.Scores {
		for _, i := range r.sequences {
			part.Scores[v] = append(part.Scores[v], scores[i])
		}
	}
	return &part, nil
}

// removeTexts scores each text by a search whose passes over all texts are known. A metric that asks for one pass after the other has no scores of
// single texts.
func (j *Job) removeTexts(ctx context.Context, d avss.Definition, known *recorded, p engine.Pass, o avss.Options) error {
	if j.texts == nil || d.Rounds || d.Search.Streams {
		return nil
	}
	if j.byText == nil {
		j.byText = make([][]avss.Scores, len(j.texts.Parts))
	}
	all := p.Sequences
	p.Progress = nil
	for text, part := range j.texts.Parts {
		p.Sequences = nil
		r := &replayed{recorded: known}
		for i := range j.texts.Of {
			if j.scoresText(i, text) {
				r.sequences = append(r.sequences, i)
				p.Sequences = append(p.Sequences, all[i])
			}
		}
		scores, err := d.Search.Run(ctx, r, p, o)
		if errors.Is(err, failure.Unsupported) {
			j.Report.Warnings = append(j.Report.Warnings, fmt.Sprintf("%s: there are no scores of single texts: %v", d.Name, err))
			return nil
		}
		if err != nil {
			return fmt.Errorf("%s: %s: %w", d.Search.Name, part.Source, err)
		}
		j.byText[text] = append(j.byText[text], scores...)
	}
	return nil
}

// ofText finds the scores of a text by a key.
func (j *Job) ofText(text int, key string) (avss.Scores, bool) {
	if text >= len(j.byText) {
		return avss.Scores{}, false
	}
	at := slices.IndexFunc(j.byText[text], func(s avss.Scores) bool { return s.Key() == key })
	if at < 0 {
		return avss.Scores{}, false
	}
	return j.byText[text][at], true
}
