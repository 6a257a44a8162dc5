package job

import (
	"context"
	"slices"

	"avssnative/avss"
	"avssnative/calib"
	"avssnative/engine"
	"avssnative/internal/report"
	"avssnative/internal/shard"
	"avssnative/prune"
)

// keeping is the model with its passes answered from a folder: what a search has measured before it was interrupted, or what other parts have, is not
// measured again. Its streams are the model's own: a part walks them where it computes what needs them.
type keeping struct {
	*engine.Model
	passes *shard.Runner
}

// Run answers a pass.
func (k keeping) Run(ctx context.Context, p engine.Pass) (*engine.Outcome, error) {
	return k.passes.Compare(ctx, p)
}

// searching is what searches run on that read streams beside their passes.
func (j *Job) searching() avss.Runner {
	if j.shared != nil {
		return keeping{j.Model, j.shared}
	}
	return j.Model
}

// searched is the text that a search chooses by: the half that repairs are fitted on, so that what judges a repair has chosen nothing.
func (j *Job) searched() []engine.Sequence {
	text := j.calibration
	if fit, held := (&calib.Text{Sequences: text}).Split(); len(held.Sequences) > 0 {
		text = fit.Sequences
	}
	return scored(text)
}

// proposals are the sets that the scores measured so far name, for every number of layers that a search looks at.
func (j *Job) proposals(o avss.Options) (sets [][]int) {
	for _, n := range o.Search.Counts {
		for _, scores := range j.scores {
			plan, err := prune.Choose(scores, prune.Count(n), prune.Protect{})
			if err != nil {
				continue // a ranking that has no such choice proposes nothing
			}
			if !slices.ContainsFunc(sets, func(s []int) bool { return slices.Equal(s, plan.Dropped) }) {
				sets = append(sets, plan.Dropped)
			}
		}
	}
	return sets
}

// regret fills in what every choice costs more than the best set that a search has found.
func (j *Job) regret(s *report.Sweep) {
	scores, err := j.find(prune.SearchName)
	if err != nil {
		return // no search was asked for
	}
	known := append(slices.Clone(scores.Sets), scores.Proposed...)
	cost := func(of func(avss.Set) bool) (avss.Value, bool) {
		at := slices.IndexFunc(known, of)
		if at < 0 {
			return 0, false
		}
		return known[at].Cost, true
	}
	for i := range s.Points {
		p := &s.Points[i]
		best, sought := cost(func(set avss.Set) bool { return len(set.Layers) == p.Count })
		own, measured := cost(func(set avss.Set) bool { return slices.Equal(set.Layers, p.Dropped) })
		if sought && measured {
			more := own - best
			p.Regret = &more
		}
	}
}
