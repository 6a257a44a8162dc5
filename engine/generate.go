package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"avssnative/failure"
)

// Request asks for the continuation of a prompt.
type Request struct {
	IDs    []int32
	Tokens int // at most so many new ones; 0: as many as the model has positions for
	// Stop says, after each new token, whether the sequence ends there; nil: never. It is given the new tokens.
	Stop func(generated []int32) bool
	// Token is shown each new token as it comes; nil: nobody looks.
	Token func(id int32)
}

// Generating says how requests are continued. The zero value is right.
type Generating struct {
	Drop     Drop // what the model leaves out
	Sampling Sampling
	Slots    int   // sequences that advance together; 0: 16, or as many as there are requests
	Memory   int64 // bytes that the caches may take; 0: half of what the device or machine has
	// Progress is called after every step with the number of requests that have ended, and of tokens made.
	Progress func(ended, tokens int)
}

// mostSlots is how many sequences advance together unless told otherwise: enough that reading the weights is shared.
const mostSlots = 16

// Length is how many tokens a prompt of so many comes to with so many new ones, 0 for as many as there may be, at most: no more than the model
// has positions for.
func (m *Model) Length(prompt, tokens int) int {
	positions := m.Spec.Context
	if positions <= 0 {
		positions = defaultLength
	}
	if tokens <= 0 || tokens > positions-prompt {
		return positions
	}
	return prompt + tokens
}

// Generate continues every request and gives the new tokens of each. Sequences of different lengths advance together; where one ends, the next
// request takes its place. What a request comes to does not depend on the others.
func (m *Model) Generate(ctx context.Context, requests []Request, g Generating) ([][]int32, error) {
	results, requests := make([][]int32, len(requests)), slices.Clone(requests)
	length := 0
	for i, r := range requests {
		most := m.Length(len(r.IDs), r.Tokens)
		if requests[i].Tokens = most - len(r.IDs); requests[i].Tokens < 0 {
			return nil, fmt.Errorf("engine: prompt %d: %d tokens: the model has positions for %d", i, len(r.IDs), most)
		}
		length = max(length, most)
	}
	if len(requests) == 0 {
		return results, nil
	}
	slots := g.Slots
	if slots <= 0 {
		slots = mostSlots
	}
	d, err := m.decoderOf(min(slots, len(requests)), DecoderOptions{Variants: []Drop{g.Drop}, Length: length, Memory: g.Memory})
	if err != nil {
		return nil, err
	}
	defer d.Close()
	run := generation{Decoder: d, requests: requests, results: results, how: g, at: make([]int, d.slots), samplers: make([]*Sampler, d.slots)}
	for slot := range run.at {
		run.at[slot] = -1
	}
	return results, run.all(ctx)
}

// decoderOf is a decoder with as many slots as there is memory for.
func (m *Model) decoderOf(slots int, o DecoderOptions) (*Decoder, error) {
	for ; ; slots /= 2 {
		o.Slots = slots
		d, err := m.NewDecoder(o)
		if err == nil || slots <= 1 || !errors.Is(err, failure.Memory) {
			return d, err
		}
	}
}

// generation is one Generate.
type generation struct {
	*Decoder
	requests []Request
	results  [][]int32
	how      Generating
	next     int   // request to be begun next
	at       []int // a slot: the request it has, −1: none
	samplers []*Sampler
	ended    int
	tokens   int
}

// all begins and continues until every request has ended.
func (g *generation) all(ctx context.Context) error {
	for g.ended < len(g.requests) {
		if err := g.begin(ctx); err != nil {
			return err
		}
		var next []Continuation
		for slot, request := range g.at {
			if request >= 0 {
				made := g.results[request]
				next = append(next, Continuation{Slot: slot, IDs: made[len(made)-1:]})
			}
		}
		logits, err := g.Continue(ctx, next)
		if err != nil {
			return err
		}
		for i, c := range next {
			g.take(c.Slot, logits[i][0])
		}
		if g.how.Progress != nil {
			g.how.Progress(g.ended, g.tokens)
		}
	}
	return nil
}

// begin fills the empty slots with the next requests, until each slot has one that goes on, or none is left.
func (g *generation) begin(ctx context.Context) error {
	for {
		var prompts []Prompt
		for slot, request := range g.at {
			if request >= 0 || g.next == len(g.requests) {
				continue
			}
			r := g.next
			g.next++
			if g.requests[r].Tokens <= 0 {
				g.ended++
				continue
			}
			g.at[slot], g.samplers[slot] = r, NewSampler(g.how.Sampling, r)
			prompts = append(prompts, Prompt{Slot: slot, IDs: g.requests[r].IDs})
		}
		if len(prompts) == 0 {
			return nil
		}
		logits, err := g.Start(ctx, prompts)
		if err != nil {
			return err
		}
		for i, p := range prompts {
			g.take(p.Slot, logits[0][i])
		}
	}
}

// take draws a slot's next token, and empties the slot where its request ends with it.
func (g *generation) take(slot int, logits []float32) {
	request := g.at[slot]
	r := &g.requests[request]
	id := g.samplers[slot].Next(logits)
	g.results[request] = append(g.results[request], id)
	g.tokens++
	if r.Token != nil {
		r.Token(id)
	}
	made := g.results[request]
	if len(made) >= r.Tokens || r.Stop != nil && r.Stop(made) {
		g.at[slot] = -1
		g.ended++
	}
}
