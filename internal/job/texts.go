package job

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"

	"avssnative/avss"
	"avssnative/calib"
	"avssnative/engine"
	"avssnative/internal/report"
	"avssnative/prune"
)

// Several calibration texts compared: which layers each would drop, and what each of these sets costs on every text, measured on sequences that no
// text is scored by: its even ones score it, and some of the odd ones are compared on. Text and objective change the set more than the search does
// (arXiv 2604.24938), so the set that costs least where it costs most is worth knowing.

// ErrTexts says that texts cannot be compared.
var ErrTexts = errors.New("calibration texts")

// weighedTokens are those of all texts that sets are compared on, at most.
const weighedTokens = 4096

// CompareTexts chooses by each text alone and measures all these sets on every text; bridged, with their gaps bridged, as is right where the layers
// that stay will be repaired. Of one text there is nothing to compare.
func (j *Job) CompareTexts(ctx context.Context, c Choice, bridged bool) error {
	if j.texts == nil || c.Rule.Listed() {
		if c.Worst {
			return j.single()
		}
		return nil
	}
	if !j.alone() {
		j.Report.Warnings = append(j.Report.Warnings, "what sets cost on other texts was not measured: it follows from the scores of all shards; score "+
			"without shards for it")
		return nil
	}
	joint, err := j.ranking(c.Metric, c)
	if err != nil {
		return err
	}
	t, err := j.setsOfTexts(joint, c)
	if err != nil {
		return err
	}
	j.Report.Texts = t
	text, at := j.weighedText(c.Worst)
	defer j.phase("texts side by side")()
	o := prune.SearchOptions{Progress: j.pass("texts side by side").Progress}
	if bridged && j.Unit != prune.Sublayer {
		t.Bridged = true
		o.Repair = prune.RepairLstsq
		o.Fit, _ = j.halves()
	}
	sets := make([]engine.Drop, len(t.Sets))
	for i, s := range t.Sets {
		if sets[i] = engine.Layers(s.Dropped...); j.Unit == prune.Sublayer {
			sets[i] = engine.Halves(s.Dropped...)
		}
	}
	costs, err := prune.Weigh(ctx, j.searching(), text, sets, o)
	if err != nil {
		return err
	}
	for i := range t.Sets {
		t.Sets[i].Costs, t.Sets[i].Worst = j.meanCosts(costs[i], text, at)
	}
	for i := range t.Texts {
		for k, s := range at {
			if j.texts.Of[s] == i {
				t.Texts[i].Weighed += len(text[k].IDs) - 1
			}
		}
	}
	best := 0
	for i, s := range t.Sets {
		if s.Worst < t.Sets[best].Worst {
			best = i
		}
	}
	t.Best = &best
	if c.Worst {
		j.weighing = map[int]bool{}
		for _, s := range at {
			j.weighing[s] = true
		}
	}
	return nil
}

// single is why there are not several texts to compare.
func (j *Job) single() error {
	if j.incomparable != nil {
		return j.incomparable
	}
	return fmt.Errorf("%w: there is only one: nothing can be the worst of several", ErrTexts)
}

// setsOfTexts are the sets that each text names, and those that are of all of them.
func (j *Job) setsOfTexts(joint avss.Scores, c Choice) (*report.Texts, error) {
	t := &report.Texts{Metric: joint.Key(), Unit: j.Unit}
	all, err := j.plan(joint, c.Rule, c.Protect)
	if err != nil {
		return nil, err
	}
	rule := prune.Count(len(all.Dropped))
	if j.Unit == prune.Sublayer {
		rule = c.Rule
	}
	add := func(by string, dropped []int) {
		at := slices.IndexFunc(t.Sets, func(s report.TextSet) bool { return slices.Equal(s.Dropped, dropped) })
		if at < 0 {
			t.Sets = append(t.Sets, report.TextSet{Dropped: dropped})
			at = len(t.Sets) - 1
		}
		t.Sets[at].By = append(t.Sets[at].By, by)
	}
	add(report.AllTexts, all.Dropped)
	var ranked [][]int
	for i, part := range j.texts.Parts {
		text := report.CalibrationText{CalibrationInfo: avss.CalibrationInfo{Source: part.Source, SHA256: part.SHA256,
			Sequences: int64(len(part.Sequences)), Tokens: int64(part.Tokens)}}
		if scores, has := j.ofText(i, joint.Key()); has {
			plan, err := j.plan(scores, rule, c.Protect)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", part.Source, err)
			}
			add(part.Source, plan.Dropped)
			text.Dropped = plan.Dropped
			ranked = append(ranked, scores.Ranking())
			text.Scores = map[string]avss.Scores{}
			for _, s := range j.byText[i] {
				text.Scores[s.Key()] = s
			}
		}
		t.Texts = append(t.Texts, text)
	}
	if len(joint.Distance) > 0 || len(ranked) != len(j.texts.Parts) {
		return t, nil // what is chosen is no set of lowest scores
	}
	plan, err := j.plan(avss.Scores{Values: worstRanks(ranked)}, rule, c.Protect)
	if err != nil {
		return nil, err
	}
	add(report.WorstRank, plan.Dropped)
	return t, nil
}

// worstRanks are the latest places of the layers in some rankings; of equal ones the earlier is the one that is earlier on average.
func worstRanks(rankings [][]int) avss.Values {
	ranks := make(avss.Values, len(rankings[0]))
	for _, ranking := range rankings {
		for place, layer := range ranking {
			ranks[layer] = max(ranks[layer], float64(place))
		}
	}
	for _, ranking := range rankings {
		for place, layer := range ranking {
			ranks[layer] += float64(place) / float64(len(rankings)*len(ranking))
		}
	}
	return ranks
}

// weighedText is what sets are compared on, of each text as much: some of the sequences that repairs are judged by. Where a set is chosen by it, it
// is every other one of them, so that others are left to judge by.
func (j *Job) weighedText(some bool) (text []engine.Sequence, at []int) {
	for i := range j.texts.Parts {
		tokens, seen := 0, 0
		for s, of := range j.texts.Of {
			if of != i || s%2 == 0 || tokens >= weighedTokens/len(j.texts.Parts) {
				continue
			}
			if seen++; some && seen%2 == 0 {
				continue
			}
			at = append(at, s)
			tokens += len(j.calibration[s].IDs)
		}
	}
	slices.Sort(at)
	for _, s := range at {
		text = append(text, j.calibration[s])
	}
	return scored(text), at
}

// comparable says why the texts cannot be compared: each must have a sequence to score by and one to measure sets on.
func comparable(t *calib.Text) error {
	for i, part := range t.Parts {
		var halves [2]int
		for s, of := range t.Of {
			if of == i {
				halves[s%2]++
			}
		}
		if halves[0] == 0 || halves[1] == 0 {
			return fmt.Errorf("%w: %s has %d sequences: one half of them scores, the other compares; give more --calib-tokens, or a smaller --seq-len",
				ErrTexts, part.Source, len(part.Sequences))
		}
	}
	return nil
}

// meanCosts are what a set costs a token on each text, and the most of these.
func (j *Job) meanCosts(spent []float64, text []engine.Sequence, at []int) (costs avss.Values, worst avss.Value) {
	costs = make(avss.Values, len(j.texts.Parts))
	tokens := make([]float64, len(costs))
	for k, s := range at {
		of := j.texts.Of[s]
		costs[of] += spent[k]
		tokens[of] += float64(len(text[k].IDs) - 1)
	}
	for i := range costs {
		costs[i] /= tokens[i]
		worst = avss.Value(math.Max(float64(worst), costs[i]))
	}
	return costs, worst
}

// bestInWorstCase is the plan of the set that costs least on the text where it costs most.
func (j *Job) bestInWorstCase(c Choice) (*prune.Plan, error) {
	t := j.Report.Texts
	if t == nil || t.Best == nil {
		return nil, j.single()
	}
	set := t.Sets[*t.Best]
	listed := prune.Layers(set.Dropped...)
	if j.Unit == prune.Sublayer {
		listed = prune.Units(engine.Halves(set.Dropped...))
	}
	plan, err := prune.ListedUnits(j.Model.Layers(), listed, c.Protect)
	if err != nil {
		return nil, err
	}
	t.Chosen = report.ByWorst
	plan.Metric, plan.Rule = t.Metric, fmt.Sprintf("%s, the best in the worst case of %d texts", c.Rule, len(t.Texts))
	return plan, nil
}
