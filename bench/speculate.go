package bench

import (
	"context"
	"fmt"

	"avssnative/engine"
)

// Speculative decoding (Leviathan et al., arXiv 2211.17192): a draft says some tokens ahead, the dense model reads them all in one step, keeps
// those that it would have said itself, then says one of its own. Greedily what comes out is the dense model's text, token by token, whatever
// the draft is; where tokens are drawn it is distributed as the dense model's, though one seed draws other tokens than without a draft. Only
// the speed depends on the draft.

// Draft is what proposes tokens.
type Draft struct {
	Model  *engine.Model // nil: the dense model itself,
	Drop   engine.Drop   // without these units
	Tokens int           // proposed at a time; 0: 4
	// Sampling is how both draw; the zero value: the most likely tokens.
	Sampling engine.Sampling
}

// defaultProposed is how many tokens a draft proposes where nothing is said.
const defaultProposed = 4

// Speculated is what came out.
type Speculated struct {
	IDs                []int32
	Proposed, Accepted int   // tokens of the draft
	Steps              int   // of the dense model, behind the prompt
	CacheBytes         int64 // of both models' keys and values
}

// speaker is a decoder's variant and the tokens that it has.
type speaker struct {
	*engine.Decoder
	variant int
}

// Speculate continues a request as engine.Generate does with the draft's Sampling, faster where the draft is good.
func Speculate(ctx context.Context, m *engine.Model, d Draft, r engine.Request, memory int64) (*Speculated, error) {
	if d.Tokens <= 0 {
		d.Tokens = defaultProposed
	}
	if d.Model != nil && d.Model.Spec.Vocab != m.Spec.Vocab {
		return nil, fmt.Errorf("bench: draft %s: a vocabulary of %d tokens, %s has %d", d.Model.Ref, d.Model.Spec.Vocab, m.Ref, m.Spec.Vocab)
	}
	length := len(r.IDs) + r.Tokens
	for _, model := range []*engine.Model{m, d.Model} {
		if model == nil || model.Spec.Context == 0 {
			continue
		}
		if len(r.IDs) >= model.Spec.Context {
			return nil, fmt.Errorf("bench: prompt: %d tokens: %s has positions for %d and would leave none for an answer", len(r.IDs), model.Ref,
				model.Spec.Context)
		}
		if r.Tokens <= 0 || length > model.Spec.Context {
			r.Tokens = model.Spec.Context - len(r.IDs)
			length = model.Spec.Context
		}
	}
	if r.Tokens <= 0 {
		return nil, fmt.Errorf("bench: %s does not say how long its texts may be: say how many tokens are wanted", m.Ref)
	}
	s := speculation{request: r, proposes: d.Tokens, made: &Speculated{}, sampler: engine.NewSampler(d.Sampling, 0), draws: d.Sampling.Temperature > 0}
	prompt := []engine.Prompt{{IDs: r.IDs}}
	start := func(model *engine.Model, variants ...engine.Drop) (*engine.Decoder, [][][]float32, error) {
		decoder, err := model.NewDecoder(engine.DecoderOptions{Variants: variants, Length: length, Back: d.Tokens + 1, Memory: memory})
		if err != nil {
			return nil, nil, err
		}
		logits, err := decoder.Start(ctx, prompt)
		if err != nil {
			decoder.Close()
		}
		return decoder, logits, err
	}
	variants := []engine.Drop{nil}
	if d.Model == nil {
		variants = append(variants, d.Drop) // the prompt and the weights are shared
	}
	dense, logits, err := start(m, variants...)
	if err != nil {
		return nil, err
	}
	defer dense.Close()
	s.dense, s.draft, s.made.CacheBytes = speaker{dense, 0}, speaker{dense, 1}, dense.CacheBytes()
	if d.Model != nil {
		other, _, err := start(d.Model, d.Drop)
		if err != nil {
			return nil, fmt.Errorf("bench: draft: %w", err)
		}
		defer other.Close()
		s.draft = speaker{other, 0}
		s.made.CacheBytes += other.CacheBytes()
	}
	return s.made, s.all(ctx, logits[0][0])
}

// speculation is one Speculate.
type speculation struct {
	request      engine.Request
	dense, draft speaker
	proposes     int
	made         *Speculated
	sampler      *engine.Sampler
	draws        bool
}

// proposal is a token of the draft, and the distribution it was drawn from; nil where it is the most likely one.
type proposal struct {
	id   int32
	from []float64
}

func (s *speculation) all(ctx context.Context, logits []float32) error {
	if s.say(s.sampler.Next(logits)) {
		return nil
	}
	for {
		proposed, err := s.propose(ctx)
		if err != nil {
			return err
		}
		ended, err := s.verify(ctx, proposed)
		if err != nil || ended {
			return err
		}
	}
}

// say takes a token of the dense model's and says whether the text ends with it.
func (s *speculation) say(id int32) bool {
	s.made.IDs = append(s.made.IDs, id)
	if s.request.Token != nil {
		s.request.Token(id)
	}
	return len(s.made.IDs) >= s.request.Tokens || s.request.Stop != nil && s.request.Stop(s.made.IDs)
}

// propose lets the draft say what may follow all that was said, fewer tokens where the end is near: the dense model adds one of its own.
func (s *speculation) propose(ctx context.Context) ([]proposal, error) {
	most := min(s.proposes, s.request.Tokens-len(s.made.IDs)-1)
	var proposed []proposal
	// What the draft has not heard yet: at least the last token.
	next := s.made.IDs[len(s.draft.Tokens(s.draft.variant, 0))-len(s.request.IDs):]
	for len(proposed) < most {
		rows, err := s.draft.Continue(ctx, []engine.Continuation{{Variant: s.draft.variant, IDs: next}})
		if err != nil {
			return nil, err
		}
		proposed = append(proposed, s.proposal(rows[0][len(rows[0])-1]))
		next = []int32{proposed[len(proposed)-1].id}
	}
	return proposed, nil
}

// proposal is the draft's token by its logits.
func (s *speculation) proposal(logits []float32) proposal {
	if !s.draws {
		return proposal{id: s.sampler.Next(logits)}
	}
	from := s.sampler.Distribution(logits)
	return proposal{s.sampler.Draw(from), from}
}

// judge is the dense model's token where the draft proposed one, and whether it is that.
func (s *speculation) judge(logits []float32, p proposal) (id int32, accepted bool) {
	if p.from == nil {
		id = s.sampler.Next(logits)
		return id, id == p.id
	}
	return s.sampler.Judge(s.sampler.Distribution(logits), p.from, p.id)
}

// verify lets the dense model read the last token and what was proposed behind it, keeps what it would have said itself, and adds its next.
func (s *speculation) verify(ctx context.Context, proposed []proposal) (ended bool, err error) {
	heard := len(s.request.IDs) + len(s.made.IDs) // with the last token, which it hears now
	read := []int32{s.made.IDs[len(s.made.IDs)-1]}
	for _, p := range proposed {
		read = append(read, p.id)
	}
	rows, err := s.dense.Continue(ctx, []engine.Continuation{{Variant: s.dense.variant, IDs: read}})
	if err != nil {
		return false, err
	}
	s.made.Steps++
	s.made.Proposed += len(proposed)
	agreed := 0
	for {
		if agreed == len(proposed) { // all accepted: the next is its own
			ended = s.say(s.sampler.Next(rows[0][agreed]))
			break
		}
		id, accepted := s.judge(rows[0][agreed], proposed[agreed])
		if accepted {
			s.made.Accepted++
		}
		if ended = s.say(id); ended || !accepted {
			break
		}
		agreed++
	}
	if ended {
		return true, nil
	}
	for _, of := range []speaker{s.dense, s.draft} {
		if has := len(of.Tokens(of.variant, 0)); has > heard+agreed {
			if err := of.Rewind(ctx, of.variant, 0, heard+agreed); err != nil {
				return false, err
			}
		}
	}
	return false, nil
}
