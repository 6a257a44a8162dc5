package bench

import (
	"errors"
	"fmt"
	"strings"

	"avssnative/failure"
	"avssnative/tokenizer"
)

// Tokenizer is what this package asks of a tokenizer.
type Tokenizer interface {
	// Encode returns the ids of a text; with special set, beside those that the tokenizer adds by itself.
	Encode(text string, special bool) ([]int32, error)
	Decode(ids []int32, skipSpecial bool) (string, error)
	BOS() (int32, bool)
	EOS() (int32, bool)
	// AddsBOS says whether Encode with special set begins with BOS.
	AddsBOS() bool
}

// encoder encodes texts under a policy.
type encoder struct {
	tokenizer  Tokenizer
	special    bool // let the tokenizer add what it adds
	prepend    bool // put BOS in front of that
	begins     bool // a text begins with BOS
	prefix     int32
	hasPrefix  bool
	prefixText string

	lastContext string // the choices of an item share it
	lastIDs     []int32
}

func newEncoder(t Tokenizer, policy tokenizer.BOS) (*encoder, error) {
	e := &encoder{tokenizer: t}
	bos, hasBOS := t.BOS()
	eos, hasEOS := t.EOS()
	switch policy {
	case tokenizer.BOSAuto, "":
		e.special, e.begins = true, t.AddsBOS()
	case tokenizer.BOSYes:
		if !hasBOS {
			return nil, failure.Unsupported.Errorf("bench: BOS asked for, and the tokenizer has none; use auto or no")
		}
		e.special, e.prepend, e.begins = true, !t.AddsBOS(), true
	case tokenizer.BOSNo:
	default:
		return nil, fmt.Errorf("bench: BOS %q: want auto, yes or no", string(policy))
	}
	switch {
	case hasBOS:
		e.prefix, e.hasPrefix = bos, true
	case hasEOS:
		e.prefix, e.hasPrefix = eos, true
	}
	if e.hasPrefix {
		var err error
		if e.prefixText, err = t.Decode([]int32{e.prefix}, false); err != nil {
			return nil, fmt.Errorf("bench: %w", err)
		}
	}
	return e, nil
}

// text encodes a text from its beginning. One that spells out the prefix token already is given no second one.
func (e *encoder) text(s string) ([]int32, error) {
	if e.prefixText != "" && strings.HasPrefix(s, e.prefixText) {
		return e.tokenizer.Encode(s, false)
	}
	ids, err := e.tokenizer.Encode(s, e.special)
	if err != nil || !e.prepend {
		return ids, err
	}
	bos, _ := e.tokenizer.BOS()
	return append([]int32{bos}, ids...), nil
}

// lead is the token in front of what has no context: BOS, else EOS.
func (e *encoder) lead() (int32, error) {
	if !e.hasPrefix {
		return 0, errors.New("nothing stands before the first token, and the tokenizer has neither BOS nor EOS to put there")
	}
	return e.prefix, nil
}

// pair encodes a context and what follows it. White space that ends the context moves to the continuation, and the continuation's tokens
// are what the tokens of both have beyond those of the context: what stands before a token can change it, so it is never encoded alone.
func (e *encoder) pair(p Pair) (context, continuation []int32, err error) {
	bare := strings.TrimRightFunc(p.Context, space)
	rest := p.Context[len(bare):] + p.Continuation
	if bare == "" {
		return e.alone(rest)
	}
	if e.lastIDs == nil || e.lastContext != bare {
		if e.lastIDs, err = e.text(bare); err != nil {
			return nil, nil, err
		}
		e.lastContext = bare
	}
	context = e.lastIDs
	whole, err := e.text(bare + rest)
	if err != nil {
		return nil, nil, err
	}
	if len(whole) <= len(context) {
		return nil, nil, fmt.Errorf("continuation %q adds no tokens to the %d of its context", p.Continuation, len(context))
	}
	if len(context) == 0 {
		return e.alone(rest)
	}
	return context, whole[len(context):], nil
}

// alone encodes a continuation that has no context but the prefix token.
func (e *encoder) alone(text string) (context, continuation []int32, err error) {
	prefix, err := e.lead()
	if err != nil {
		return nil, nil, err
	}
	ids, err := e.tokenizer.Encode(text, false)
	if err != nil {
		return nil, nil, err
	}
	if len(ids) > 0 && ids[0] == prefix {
		ids = ids[1:]
	}
	if len(ids) == 0 {
		return nil, nil, fmt.Errorf("continuation %q has no tokens", text)
	}
	return []int32{prefix}, ids, nil
}
