package bench

import (
	"fmt"
	"math"
	"strings"

	"avssnative/engine"

	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/stat"
)

// Score turns what a pass found for the suite's sequences, in one variant and in their order, into results, one a task. A suite that Asks
// wants Judge.
func (s *Suite) Score(scores []engine.SequenceScore) ([]Result, error) { return s.Judge(scores, nil) }

// Judge is Score where the model was asked for answers, too: said is what Say gave for the same variant.
func (s *Suite) Judge(scores []engine.SequenceScore, said []string) ([]Result, error) {
	if len(scores) != len(s.Sequences) {
		return nil, fmt.Errorf("bench: scores of %d sequences, want %d", len(scores), len(s.Sequences))
	}
	if len(said) != len(s.asked) {
		return nil, fmt.Errorf("bench: %d answers in a model's own words, want %d", len(said), len(s.asked))
	}
	var results []Result
	for _, p := range s.sets {
		r := Result{Task: p.Task.Name, Version: p.Task.Version, Papers: p.Task.Papers, Kind: p.Task.Kind, Primary: p.Task.Primary,
			BOS: s.bos, MaxLength: p.length, Convention: p.convention, Note: p.note, N: len(p.items), FewShot: p.Shots, Chat: p.Chat, Choices: p.sameChoices()}
		for _, item := range p.items {
			var record Record
			var err error
			if p.Task.Kind == Generate {
				record, err = p.mark(&item, said)
			} else {
				record, err = item.record(s, scores)
			}
			if err != nil {
				return nil, fmt.Errorf("bench: %s: item %d: %w", p.Task.Name, item.index, err)
			}
			if item.truncated {
				r.Truncated++
			}
			r.Items = append(r.Items, record)
		}
		r.measure(p.Task.Metrics)
		if p.Task.Chance > 0 {
			r.Chance = p.Task.Chance
		}
		results = append(results, r)
	}
	return results, nil
}

func (item *preparedItem) record(s *Suite, scores []engine.SequenceScore) (Record, error) {
	r := Record{Item: item.index, Gold: item.Gold, Words: item.Words, Bytes: item.Bytes}
	for i, places := range item.places {
		var sum engine.Score
		for _, at := range places {
			found, want := scores[at.sequence].Branches, s.Sequences[at.sequence].Branches
			if len(found) != len(want) || found[at.branch].Tokens != len(want[at.branch]) {
				return r, fmt.Errorf("choice %d: scores do not belong to these sequences", i)
			}
			sum = sum.Add(found[at.branch])
		}
		if math.IsNaN(sum.LogLikelihood) || sum.LogLikelihood > 1 {
			return r, fmt.Errorf("choice %d: log-likelihood is %v", i, sum.LogLikelihood)
		}
		r.LogLikelihoods = append(r.LogLikelihoods, sum.LogLikelihood)
		r.Greedy = append(r.Greedy, sum.Greedy())
		r.Tokens += sum.Tokens
		r.KL += sum.KL
		r.SameTop += sum.SameTop
	}
	r.Chosen = floats.MaxIdx(r.LogLikelihoods)
	r.ChosenNorm = r.Chosen
	if len(item.Lengths) == len(r.LogLikelihoods) {
		normed := make([]float64, len(r.LogLikelihoods))
		for i, l := range r.LogLikelihoods {
			normed[i] = l / float64(item.Lengths[i])
		}
		r.ChosenNorm = floats.MaxIdx(normed)
	}
	return r, nil
}

// measure fills in the metrics from the items.
func (r *Result) measure(metrics []string) {
	for _, name := range metrics {
		m := Metric{Name: name, HigherIsBetter: isAccuracy(name)}
		if isAccuracy(name) {
			m.Value, m.Stderr = meanOf(r.values(name))
		} else {
			nll, weights := r.losses(name)
			m.Value, m.Stderr = perplexityOf(name, nll, weights)
		}
		r.Metrics = append(r.Metrics, m)
	}
	for _, item := range r.Items {
		r.Tokens += item.Tokens
		r.KL += item.KL
		r.SameTop += float64(item.SameTop)
		if r.Kind == Choice {
			r.Chance += 1 / float64(len(item.LogLikelihoods)) / float64(len(r.Items))
		}
	}
	if r.Tokens > 0 { // answers in a model's own words have no tokens to compare by
		r.KL /= float64(r.Tokens)
		r.SameTop /= float64(r.Tokens)
	}
}

// isAccuracy says whether a metric is a share of right answers.
func isAccuracy(metric string) bool {
	name, _, _ := strings.Cut(metric, ",")
	return name == "acc" || name == "acc_norm" || name == "exact_match" || name == "contains"
}

// values is 1 for every item answered rightly, 0 for the others.
func (r *Result) values(metric string) []float64 {
	values := make([]float64, len(r.Items))
	for i := range r.Items {
		if r.Items[i].right(r.Kind, metric) {
			values[i] = 1
		}
	}
	return values
}

func (r *Record) right(kind Kind, metric string) bool {
	switch {
	case kind == Generate:
		return r.Marks[metric] == 1
	case kind == Cloze:
		return r.Greedy[0]
	case metric == "acc_norm":
		return r.ChosenNorm == r.Gold
	}
	return r.Chosen == r.Gold
}

// losses is every item's negative log-likelihood, and what it is shared out over: words, bytes, tokens; for a cloze, one.
func (r *Result) losses(metric string) (nll, weights []float64) {
	for _, item := range r.Items {
		nll = append(nll, -item.LogLikelihoods[0])
		weight := 1.0
		switch {
		case metric == "word_perplexity":
			weight = float64(item.Words)
		case metric == "byte_perplexity" || metric == "bits_per_byte":
			weight = float64(item.Bytes)
		case r.Kind != Cloze:
			weight = float64(item.Tokens)
		}
		weights = append(weights, weight)
	}
	return nll, weights
}

// meanOf is a mean and its standard error, the sample's standard deviation over √n; NaN for one value.
func meanOf(values []float64) (mean, stderr float64) {
	mean, deviation := stat.MeanStdDev(values, nil)
	return mean, stat.StdErr(deviation, float64(len(values)))
}

// perplexityOf is exp of the loss per unit of weight, or that loss in bits. Its standard error takes documents as drawn independently: that
// of a ratio of sums (Cochran, Sampling Techniques, section 6.3), carried through exp by its derivative.
func perplexityOf(metric string, nll, weights []float64) (value, stderr float64) {
	total := floats.Sum(weights)
	rate := floats.Sum(nll) / total
	n := float64(len(nll))
	var squares float64
	for i := range nll {
		d := nll[i] - rate*weights[i]
		squares += d * d
	}
	spread := math.NaN()
	if n > 1 {
		spread = math.Sqrt(n/(n-1)*squares) / total
	}
	if metric == "bits_per_byte" {
		return rate / math.Ln2, spread / math.Ln2
	}
	return math.Exp(rate), math.Exp(rate) * spread
}
