package job

import (
	"context"
	"fmt"
	"slices"
	"time"

	"avssnative/bench"
	"avssnative/engine"
	"avssnative/prune"
)

// Drafting says which drafts are considered.
type Drafting struct {
	Shares  []float64 // of the layers left out, or of as many bytes in halves of them, each in (0, 1)
	Prompts int       // beginnings of calibration texts that the model continues by itself; 0: 8
	Begin   int       // tokens of each; 0: 16
	Tokens  int       // new ones each; 0: 64
	// Sampling is how the texts are said. Acceptance is foreseen for its temperature alone: top-k and the like only cut both distributions.
	Sampling engine.Sampling
}

func (o Drafting) completed() Drafting {
	if o.Prompts == 0 {
		o.Prompts = 8
	}
	if o.Begin == 0 {
		o.Begin = 16
	}
	if o.Tokens == 0 {
		o.Tokens = 64
	}
	return o
}

// FindDraft lets all scores that were measured name candidates at all shares, and says what each promises as a draft, the best first.
func (j *Job) FindDraft(ctx context.Context, o Drafting) ([]bench.DraftCandidate, error) {
	defer j.phase("choosing a draft")()
	o = o.completed()
	d := bench.Drafting{Tokens: o.Tokens, Prompts: j.beginnings(o.Prompts, o.Begin), Sampling: o.Sampling}
	var err error
	if d.Ends, err = j.Ends(); err != nil {
		return nil, err
	}
	if j.Progress != nil {
		d.Progress = func(s engine.Step) { j.Progress("reading acceptance", s) }
	}
	seen := map[string]bool{}
	for _, share := range o.Shares {
		count := int(share*float64(j.Model.Layers()) + 0.5)
		if count < 1 || count >= j.Model.Layers() {
			return nil, fmt.Errorf("draft: a share of %g of %d layers is %d: want at least one to go and one to stay", share, j.Model.Layers(), count)
		}
		for _, scores := range j.scores {
			plan, err := j.plan(scores, prune.Count(count), prune.Protect{})
			if err != nil {
				continue // a search that found no set of that size names none
			}
			if drop := plan.Drop(); !seen[drop.String()] {
				seen[drop.String()] = true
				d.Candidates = append(d.Candidates, bench.DraftCandidate{Drop: drop, ChosenBy: scores.Key()})
			}
		}
	}
	return bench.FindDraft(ctx, j.Model, d)
}

// beginnings are the first tokens of so many calibration texts.
func (j *Job) beginnings(texts, tokens int) [][]int32 {
	var all [][]int32
	for _, s := range j.calibration {
		if len(all) < texts {
			all = append(all, s.IDs[:min(len(s.IDs), tokens)])
		}
	}
	return all
}

// Drafted is what a draft came to.
type Drafted struct {
	Gain       float64 `json:"gain"`       // how many times faster texts came
	Acceptance float64 `json:"acceptance"` // share of the proposed tokens that were accepted
	Tokens     int     `json:"tokens"`     // made by each way
}

// MeasureDraft lets the model continue the same texts without and with a draft. Where the most likely tokens are said it makes sure that both say
// the same; where they are drawn the texts differ, and the time of a token is compared.
func (j *Job) MeasureDraft(ctx context.Context, draft bench.Draft, o Drafting) (*Drafted, error) {
	defer j.phase("timing the draft")()
	o = o.completed()
	ends, err := j.Ends()
	if err != nil {
		return nil, err
	}
	var without, with time.Duration
	draft.Sampling = o.Sampling
	proposed, accepted, alone, together := 0, 0, 0, 0
	d := &Drafted{}
	for _, prompt := range j.beginnings(min(o.Prompts, 4), o.Begin) {
		var first, last time.Time
		request := engine.Request{IDs: prompt, Tokens: o.Tokens, Stop: func(made []int32) bool {
			if last = time.Now(); len(made) == 1 {
				first = last
			}
			return slices.Contains(ends, made[len(made)-1])
		}}
		plain, err := j.Model.Generate(ctx, []engine.Request{request}, engine.Generating{Sampling: o.Sampling})
		if err != nil {
			return nil, err
		}
		without += last.Sub(first)
		said, err := bench.Speculate(ctx, j.Model, draft, request, 0)
		if err != nil {
			return nil, err
		}
		with += last.Sub(first)
		alone, together = alone+len(plain[0])-1, together+len(said.IDs)-1
		if o.Sampling.Temperature <= 0 && !slices.Equal(plain[0], said.IDs) {
			return nil, fmt.Errorf("draft: the text with a draft is %v and without one %v: two tokens are equally likely but for rounding", said.IDs,
				plain[0])
		}
		proposed, accepted, d.Tokens = proposed+said.Proposed, accepted+said.Accepted, d.Tokens+len(said.IDs)
	}
	if with > 0 && alone > 0 && together > 0 {
		d.Gain = without.Seconds() / float64(alone) / (with.Seconds() / float64(together))
	}
	if proposed > 0 {
		d.Acceptance = float64(accepted) / float64(proposed)
	}
	return d, nil
}

// SameWords says what is wrong with a draft that has another vocabulary.
func (j *Job) SameWords(draft *Job) error {
	a, err := j.Tokenizer()
	if err != nil {
		return err
	}
	b, err := draft.Tokenizer()
	if err != nil {
		return err
	}
	if a.Size() != b.Size() || j.Model.Spec.Vocab != draft.Model.Spec.Vocab {
		return fmt.Errorf("%s: a vocabulary of %d tokens, %s has %d: a draft speaks the dense model's", draft.Model.Ref, b.Size(), j.Model.Ref, a.Size())
	}
	for id := range int32(a.Size()) {
		one, _ := a.Token(id)
		if other, _ := b.Token(id); one != other {
			return fmt.Errorf("%s: token %d is %q, in %s %q: a draft speaks the dense model's vocabulary", draft.Model.Ref, id, other, j.Model.Ref, one)
		}
	}
	return nil
}
