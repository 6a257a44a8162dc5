package bench

import (
	"context"
	"fmt"

	"avssnative/engine"
)

// Speculative decoding (Leviathan et al., arXiv 2211.17192) with greedy choices: a draft says some tokens ahead, the dense model reads them all
// in one step and keeps those that it would have said itself, then says one of its own. What comes out is the dense model's text, token by
// token, whatever the draft is; only the speed depends on it.

// Draft is what proposes tokens.
type Draft struct {
	Model  *engine.Model // nil: the dense model itself,
	Drop   engine.Drop   // without these units
	Tokens int           // proposed at a time; 0: 4
}

// defaultProposed is how many tokens a draft proposes where nothing is said.
const defaultProposed = 4

// Speculated is what came out.
type Speculated struct {
	IDs                []int32
	Proposed, Accepted int // tokens of the draft
	Steps              int // of the dense model, behind the prompt
}

// speaker is a decoder's variant and the tokens that it has.
type speaker struct {
	*engine.Decoder
	variant int
}

// Speculate continues a request as engine.Generate does with the zero Sampling, faster where the draft is good.
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
	s := speculation{request: r, proposes: d.Tokens, made: &Speculated{}}
	prompt := []engine.Prompt{{IDs: r.IDs}}
	start := func(model *engine.Model, variants ...engine.Drop) (*engine.Decoder, [][][]float32, error) {
		decoder, err := model.NewDecoder(engine.DecoderOptions{Variants: variants, Length: length, Memory: memory})
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
	s.dense, s.draft = speaker{dense, 0}, speaker{dense, 1}
	if d.Model != nil {
		other, _, err := start(d.Model, d.Drop)
		if err != nil {
			return nil, fmt.Errorf("bench: draft: %w", err)
		}
		defer other.Close()
		s.draft = speaker{other, 0}
	}
	return s.made, s.all(ctx, logits[0][0])
}

// speculation is one Speculate.
type speculation struct {
	request      engine.Request
	dense, draft speaker
	proposes     int
	made         *Speculated
}

var likeliest = engine.NewSampler(engine.Sampling{}, 0)

func (s *speculation) all(ctx context.Context, logits []float32) error {
	if s.say(likeliest.Next(logits)) {
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
func (s *speculation) propose(ctx context.Context) ([]int32, error) {
	most := min(s.proposes, s.request.Tokens-len(s.made.IDs)-1)
	var proposed []int32
	// What the draft has not heard yet: at least the last token.
	next := s.made.IDs[len(s.draft.Tokens(s.draft.variant, 0))-len(s.request.IDs):]
	for len(proposed) < most {
		rows, err := s.draft.Continue(ctx, []engine.Continuation{{Variant: s.draft.variant, IDs: next}})
		if err != nil {
			return nil, err
		}
		next = []int32{likeliest.Next(rows[0][len(rows[0])-1])}
		proposed = append(proposed, next[0])
	}
	return proposed, nil
}

// verify lets the dense model read the last token and what was proposed behind it, keeps what it would have said itself, and adds its next.
func (s *speculation) verify(ctx context.Context, proposed []int32) (ended bool, err error) {
	heard := len(s.request.IDs) + len(s.made.IDs) // with the last token, which it hears now
	last := s.made.IDs[len(s.made.IDs)-1]
	rows, err := s.dense.Continue(ctx, []engine.Continuation{{Variant: s.dense.variant, IDs: append([]int32{last}, proposed...)}})
	if err != nil {
		return false, err
	}
	s.made.Steps++
	s.made.Proposed += len(proposed)
	agreed := 0
	for ; !ended && agreed < len(proposed); agreed++ {
		id := likeliest.Next(rows[0][agreed])
		if id != proposed[agreed] {
			break
		}
		s.made.Accepted++
		ended = s.say(id)
	}
	if ended {
		return true, nil
	}
	if s.say(likeliest.Next(rows[0][agreed])) {
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
