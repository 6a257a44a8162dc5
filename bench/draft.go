package bench

import (
	"context"
	"fmt"
	"math"
	"slices"
	"time"

	"avssnative/engine"
)

// Which layers a draft can do without: the same scores that choose what goes for good name candidates here, one walk over the model's own text
// reads how often each would have said the same token, and with what a token costs each follows what it would gain.

// DraftCandidate is a set that a draft could leave out, and what it promises.
type DraftCandidate struct {
	Drop       engine.Drop `json:"-"`
	Dropped    string      `json:"dropped"` // Drop as text
	ChosenBy   string      `json:"chosen_by"`
	Share      float64     `json:"share"`      // of the layers left out, where an attention or an MLP alone is half of one
	SameTop    float64     `json:"same_top"`   // share of the dense model's own tokens where both have the same most likely one
	Overlap    float64     `json:"overlap"`    // Σ min(p, q) of their distributions, the mean over these tokens, at the temperature
	Acceptance float64     `json:"acceptance"` // of a proposed token: SameTop where the most likely tokens are said, Overlap where they are drawn
	Cost       float64     `json:"cost"`       // time of one of its tokens, in those of the dense model's
	Proposed   int         `json:"proposed"`   // tokens at a time that gain most
	Gain       float64     `json:"gain"`       // how much faster the text comes
}

// mostProposed bounds how many tokens at a time are considered.
const mostProposed = 16

// Gain is how many times faster a text comes where a draft proposes k tokens at a time, each of which is accepted with probability acceptance
// and costs cost of a dense step, and a step that verifies k tokens costs verify of a dense step (1 where reading weights is all that costs):
// (1 − α^(k+1)) / ((1 − α)(kc + v)) (arXiv 2211.17192, theorem 3.8).
func Gain(acceptance, cost, verify float64, k int) float64 {
	tokens := float64(k + 1) // a step's, where everything is accepted
	if acceptance < 1 {
		tokens = (1 - math.Pow(acceptance, tokens)) / (1 - acceptance)
	}
	return tokens / (float64(k)*cost + verify)
}

// choose finds the number of tokens at a time that gains most. verify says what a step costs that verifies so many, from none on.
func (c *DraftCandidate) choose(verify []float64) {
	c.Gain = 0
	for k := 1; k < len(verify); k++ {
		if g := Gain(c.Acceptance, c.Cost, verify[k], k); g > c.Gain {
			c.Proposed, c.Gain = k, g
		}
	}
}

// Drafting says how drafts are looked for.
type Drafting struct {
	Candidates []DraftCandidate // Drop and ChosenBy of each; the rest is filled in
	Prompts    [][]int32        // beginnings that the dense model continues by itself
	Tokens     int              // new ones each; 0: 64
	Ends       []int32          // tokens that end a text
	Sampling   engine.Sampling  // how texts are said; the zero value: by the most likely tokens, and Overlap is at a temperature of 1
	Memory     int64
	Progress   func(engine.Step)

	cost   func(drop engine.Drop) (seconds float64, err error) // of a token; tests replace it
	verify []float64
}

// FindDraft fills in what the candidates promise, the best first, and what it measured on the way.
func FindDraft(ctx context.Context, m *engine.Model, o Drafting) ([]DraftCandidate, error) {
	if len(o.Candidates) == 0 || len(o.Prompts) == 0 {
		return nil, fmt.Errorf("bench: draft: %d candidates and %d beginnings of texts: want at least one of each", len(o.Candidates), len(o.Prompts))
	}
	candidates := slices.Clone(o.Candidates)
	if err := accept(ctx, m, candidates, o); err != nil {
		return nil, err
	}
	timer := stepTimer{ctx: ctx, model: m, prompt: o.Prompts[0], memory: o.Memory}
	if o.cost == nil {
		o.cost = timer.token
	}
	if o.verify == nil {
		var err error
		if o.verify, err = timer.verify(); err != nil {
			return nil, err
		}
	}
	dense, err := o.cost(nil)
	if err != nil {
		return nil, err
	}
	known := map[lacking]float64{} // as most layers cost the same
	for i := range candidates {
		drop := candidates[i].Drop
		if known[lackingOf(drop)] > 0 {
			continue
		}
		if known[lackingOf(drop)], err = o.cost(drop); err != nil {
			return nil, err
		}
		// Again beside each, so that what else the machine does meets both.
		again, err := o.cost(nil)
		if err != nil {
			return nil, err
		}
		dense = min(dense, again)
	}
	for i := range candidates {
		c := &candidates[i]
		l := lackingOf(c.Drop)
		c.Dropped, c.Share, c.Cost = c.Drop.String(), float64(l.attentions+l.mlps)/float64(2*m.Layers()), known[l]/dense
		c.choose(o.verify)
	}
	slices.SortStableFunc(candidates, func(a, b DraftCandidate) int {
		switch {
		case a.Gain > b.Gain:
			return -1
		case a.Gain < b.Gain:
			return 1
		}
		return 0
	})
	return candidates, nil
}

// lacking is how many attentions and MLPs are left out.
type lacking struct{ attentions, mlps int }

func lackingOf(drop engine.Drop) (l lacking) {
	for _, half := range drop.Numbers() {
		if engine.Half(half).Part == engine.Attention {
			l.attentions++
		} else {
			l.mlps++
		}
	}
	return l
}

// accept reads every candidate's acceptance from one walk over the dense model's own text.
func accept(ctx context.Context, m *engine.Model, candidates []DraftCandidate, o Drafting) error {
	if o.Tokens == 0 {
		o.Tokens = 64
	}
	requests := make([]engine.Request, len(o.Prompts))
	for i, prompt := range o.Prompts {
		requests[i] = engine.Request{IDs: prompt, Tokens: o.Tokens, Stop: func(made []int32) bool { return slices.Contains(o.Ends, made[len(made)-1]) }}
	}
	said, err := m.Generate(ctx, requests, engine.Generating{Memory: o.Memory, Sampling: o.Sampling})
	if err != nil {
		return err
	}
	temperature := o.Sampling.Temperature
	if temperature <= 0 {
		temperature = 1
	}
	pass := engine.Pass{Variants: []engine.Drop{nil}, Diverge: true, Overlap: temperature, Memory: o.Memory, Progress: o.Progress}
	for i, prompt := range o.Prompts {
		whole := slices.Concat(prompt, said[i])
		pass.Sequences = append(pass.Sequences, engine.Sequence{IDs: whole, ScoreFrom: len(prompt), ScoreTo: len(whole), Silent: true})
	}
	for _, c := range candidates {
		pass.Variants = append(pass.Variants, c.Drop)
	}
	outcome, err := m.Run(ctx, pass)
	if err != nil {
		return err
	}
	for i := range candidates {
		var sum engine.Score
		for _, s := range outcome.Scores[i+1] {
			sum = sum.Add(s.Score)
		}
		if sum.Tokens == 0 {
			return fmt.Errorf("bench: draft: the model said nothing by itself")
		}
		c := &candidates[i]
		c.SameTop, c.Overlap = float64(sum.SameTop)/float64(sum.Tokens), sum.Overlap/float64(sum.Tokens)
		if c.Acceptance = c.SameTop; o.Sampling.Temperature > 0 {
			c.Acceptance = c.Overlap
		}
	}
	return nil
}

// stepTimer times steps of a model behind a prompt.
type stepTimer struct {
	ctx    context.Context
	model  *engine.Model
	prompt []int32
	memory int64
}

const (
	stepsTimed = 12              // of which the fastest counts: what else the machine does only adds
	timeSteps  = 2 * time.Second // and no more are begun when they took so long
)

// token is what a token of the model without some units costs, in seconds.
func (s stepTimer) token(drop engine.Drop) (float64, error) {
	decoder, err := s.start(drop, stepsTimed+1)
	if err != nil {
		return 0, err
	}
	defer decoder.Close()
	return s.step(decoder, 1)
}

// verify is what steps of 1, 2 … tokens cost, in those of one token.
func (s stepTimer) verify() ([]float64, error) {
	most := mostProposed
	if room := s.model.Spec.Context - len(s.prompt) - 1; s.model.Spec.Context > 0 {
		most = min(most, room/2)
	}
	if most < 1 {
		return nil, fmt.Errorf("bench: draft: a prompt of %d tokens leaves no room in a context of %d", len(s.prompt), s.model.Spec.Context)
	}
	decoder, err := s.start(nil, most+1)
	if err != nil {
		return nil, err
	}
	defer decoder.Close()
	costs := make([]float64, most+1)
	for k := range costs {
		if costs[k], err = s.step(decoder, k+1); err != nil {
			return nil, err
		}
	}
	for k := len(costs) - 1; k >= 0; k-- {
		costs[k] /= costs[0]
	}
	return costs, nil
}

func (s stepTimer) start(drop engine.Drop, room int) (*engine.Decoder, error) {
	decoder, err := s.model.NewDecoder(engine.DecoderOptions{Variants: []engine.Drop{drop}, Length: len(s.prompt) + room, Back: room, Memory: s.memory})
	if err != nil {
		return nil, err
	}
	if _, err = decoder.Start(s.ctx, []engine.Prompt{{IDs: s.prompt}}); err != nil {
		decoder.Close()
	}
	return decoder, err
}

// step is the least time that a step of so many tokens takes behind the prompt.
func (s stepTimer) step(decoder *engine.Decoder, tokens int) (float64, error) {
	ids := make([]int32, tokens)
	for i := range ids {
		ids[i] = s.prompt[i%len(s.prompt)]
	}
	best, steps := time.Duration(math.MaxInt64), 0
	for began := time.Now(); steps < 3 || steps < stepsTimed && time.Since(began) < timeSteps; steps++ {
		start := time.Now()
		if _, err := decoder.Continue(s.ctx, []engine.Continuation{{IDs: ids}}); err != nil {
			return 0, err
		}
		best = min(best, time.Since(start))
		if err := decoder.Rewind(s.ctx, 0, 0, len(s.prompt)); err != nil {
			return 0, err
		}
	}
	return best.Seconds(), nil
}
