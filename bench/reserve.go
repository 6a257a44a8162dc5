package bench

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"avssnative/engine"
	"avssnative/failure"
)

// Questions that choose a model instead of judging it. They are cut off from those that judge (Limit.Except), and what a model's answer to one
// costs is smooth, so that few of them tell models apart: log Σ exp(l_c − l_gold) over the choices c, the logistic loss of the margin by which
// the right one leads, where l is what the task answers by (log-likelihood, or that a character). It is never below zero.

// Reserve takes items of one task with choices, as many as are wanted but no more than half of those there are, drawn and in an order drawn by the
// seed.
func Reserve(ctx context.Context, name string, source Source, items int, seed uint64) (Set, error) {
	sets, err := Load(ctx, []string{name}, source, Limit{})
	if err != nil {
		return Set{}, err
	}
	if len(sets) != 1 || sets[0].Task.Kind != Choice {
		return Set{}, failure.Unsupported.Errorf("bench: task %s: want one task whose questions have choices", name)
	}
	set := sets[0]
	items = min(items, len(set.Items)/2)
	if items < 1 {
		return Set{}, failure.NotFound.Errorf("bench: %s: %s: %d items are too few to keep some apart", set.Task.Name, set.File, len(set.Items))
	}
	random := rand.New(rand.NewPCG(seed, uint64(len(set.Items))))
	random.Shuffle(len(set.Items), func(i, j int) { set.Items[i], set.Items[j] = set.Items[j], set.Items[i] })
	set.Items = set.Items[:items:items]
	return set, nil
}

// others are the items that ask nothing that the excepted ones ask.
func (l Limit) others(items []Item) []Item {
	if l.Except == nil {
		return items
	}
	taken := map[string]bool{}
	for i := range l.Except.Items {
		taken[l.Except.Items[i].question()] = true
	}
	return slices.DeleteFunc(items, func(item Item) bool { return len(item.Pairs) > 0 && taken[item.question()] })
}

// question is what an item asks.
func (item *Item) question() string { return fmt.Sprintf("%q", item.Pairs) }

// Ends says where each question's sequences end among the suite's; the first one's begin at 0. The suite must hold tasks with choices alone.
func (s *Suite) Ends() (ends []int, err error) {
	at := 0
	for _, p := range s.sets {
		if p.Task.Kind != Choice {
			return nil, failure.Unsupported.Errorf("bench: task %s: its questions have no choices", p.Task.Name)
		}
		for _, item := range p.items {
			for _, places := range item.places {
				for _, place := range places {
					at = max(at, place.sequence+1)
				}
			}
			ends = append(ends, at)
		}
	}
	return ends, nil
}

// MarginLoss is what a model's answer to a question costs, in nats. The scores are of the question's own sequences.
func (s *Suite) MarginLoss(question int, scores []engine.SequenceScore) (float64, error) {
	at := question
	for _, p := range s.sets {
		if at >= len(p.items) {
			at -= len(p.items)
			continue
		}
		item := p.items[at]
		first := item.places[0][0].sequence
		logits := make([]float64, len(item.places))
		for i, places := range item.places {
			for _, place := range places {
				k := place.sequence - first
				if k < 0 || k >= len(scores) || place.branch >= len(scores[k].Branches) {
					return 0, fmt.Errorf("bench: %s: item %d: choice %d: scores do not belong to these sequences", p.Task.Name, item.index, i)
				}
				logits[i] += scores[k].Branches[place.branch].LogLikelihood
			}
			if p.Task.Primary == "acc_norm" && len(item.Lengths) == len(item.places) {
				logits[i] /= float64(item.Lengths[i])
			}
		}
		most, sum := slices.Max(logits), 0.0
		for _, l := range logits {
			sum += math.Exp(l - most)
		}
		return max(0, most+math.Log(sum)-logits[item.Gold]), nil
	}
	return 0, fmt.Errorf("bench: question %d: there are %d", question, question-at)
}
