package calib

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	"avssnative/engine"
	"avssnative/tokenizer"
)

// Growing is a text that is taken piece by piece, as much as turns out to be needed. What has been taken stays as it is: what comes is put behind it.
// Of one file it is what Read takes for as many tokens, where no document leaves a single one over.
type Growing struct {
	model     *engine.Model
	tokenizer *tokenizer.Tokenizer
	options   Options
	sources   []*growingSource
	text      *Text
	joined    []int // how many sequences of each part are in the text
}

// growingSource is one of the texts.
type growingSource struct {
	read   *reader // of what is no text of the model's own: all of it
	text   *Text   // what has been taken
	blocks uint64  // of its own text that the model has written
}

// Begin opens the texts; of files as much is read as the options' tokens. Nothing is taken yet.
func Begin(ctx context.Context, m *engine.Model, t *tokenizer.Tokenizer, o Options) (*Growing, error) {
	o = o.whole(m)
	if err := distinct(o.Files); err != nil {
		return nil, err
	}
	g := &Growing{model: m, tokenizer: t, options: o, joined: make([]int, len(o.Files))}
	g.text = &Text{Source: strings.Join(o.Files, ", ")}
	for _, file := range o.Files {
		s := &growingSource{text: &Text{Source: file}}
		if file != Self {
			p := o
			p.Files, p.Tokens = []string{file}, max(2, o.Tokens/len(o.Files))
			read, err := readAll(ctx, m, t, p)
			if err != nil {
				return nil, err
			}
			s.read = read
		}
		g.sources = append(g.sources, s)
	}
	return g, nil
}

// To takes sequences until there are at least so many tokens, of each text as many, or none are left; of the options' tokens no more than they say
// but for the last sequence. It returns all that has been taken, and whether there is more to take.
func (g *Growing) To(ctx context.Context, tokens int) (text *Text, more bool, err error) {
	tokens = min(tokens, g.options.Tokens)
	share := (tokens + len(g.sources) - 1) / len(g.sources)
	for _, s := range g.sources {
		grown, err := g.grow(ctx, s, share)
		if err != nil {
			return nil, false, err
		}
		more = more || grown
	}
	g.text.Asked = tokens
	g.text.Parts = nil
	for _, s := range g.sources {
		part := *s.text // what was returned before stays as it was
		g.text.Parts = append(g.text.Parts, &part)
	}
	whole := *g.text.Parts[0]
	if len(g.sources) > 1 {
		g.text.join(g.joined)
		whole = *g.text
	}
	return &whole, more && whole.Tokens < g.options.Tokens, nil
}

// grow takes sequences of one text and says whether it has more.
func (g *Growing) grow(ctx context.Context, s *growingSource, tokens int) (more bool, err error) {
	s.text.Asked = tokens
	if s.read == nil {
		if s.text.Tokens >= tokens {
			return true, nil
		}
		o := g.options
		o.Files, o.Tokens, o.Seed = []string{Self}, tokens-s.text.Tokens, o.Seed+s.blocks<<32
		s.blocks++
		written, err := own(ctx, g.model, g.tokenizer, o)
		if err != nil {
			return false, err
		}
		for _, sequence := range written.Sequences {
			s.text.add(sequence.IDs)
		}
		sum := sha256.Sum256([]byte(s.text.SHA256 + written.SHA256))
		s.text.SHA256 = hex.EncodeToString(sum[:])
		return true, nil
	}
	all := s.read.text
	for at := len(s.text.Sequences); at < len(all.Sequences) && s.text.Tokens < tokens; at++ {
		s.text.add(all.Sequences[at].IDs)
	}
	at := len(s.text.Sequences)
	document := slices.IndexFunc(s.read.marks, func(m mark) bool { return m.sequences >= at })
	if document < 0 {
		return false, fmt.Errorf("calib: %s: sequence %d belongs to no document", s.text.Source, at)
	}
	s.text.SHA256, s.text.DoubleBOS = s.read.marks[document].sha256, s.read.marks[document].double
	return at < len(all.Sequences), nil
}
