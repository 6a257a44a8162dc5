package job

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"avssnative/bench"
	"avssnative/engine"
)

// Continuing says how a text is continued.
type Continuing struct {
	Tokens    int // new ones at most; 0: as many as there is room for
	Sampling  engine.Sampling
	Stop      []string // the text ends before the first of these
	IgnoreEnd bool     // a token that ends texts is one like others
	Show      func(piece string)
	Draft     *bench.Draft // proposes tokens; nil: none. The text is the same, or where it is drawn distributed as without
}

// Continued is what a model said.
type Continued struct {
	Tokens []int32 `json:"tokens"` // the new ones, with that which ended the text
	Text   string  `json:"text"`   // without special tokens and what stopped it
	// Ended is what ended the text: end (the model's own token), stop (one of the strings), tokens (as many as were asked for), context (it is
	// full).
	Ended         string  `json:"ended"`
	PromptTokens  int     `json:"prompt_tokens"`
	Seconds       float64 `json:"seconds"`
	PromptSeconds float64 `json:"prompt_seconds"`        // until the first token
	PerSecond     float64 `json:"tokens_per_s"`          // new tokens after the first
	PerToken      int64   `json:"cache_bytes_per_token"` // of keys and values, until windows are full
	CacheBytes    int64   `json:"cache_bytes"`           // of all that was kept: of as many tokens as there might have been, with a draft its own too
	Proposed      int     `json:"draft_proposed,omitempty"`
	Accepted      int     `json:"draft_accepted,omitempty"`
}

// Continue lets the model, or the one without the dropped layers, continue a prompt.
func (j *Job) Continue(ctx context.Context, prompt []int32, o Continuing, drop engine.Drop) (*Continued, error) {
	t, err := j.Tokenizer()
	if err != nil {
		return nil, err
	}
	var ends []int32
	if !o.IgnoreEnd {
		if ends, err = j.Ends(); err != nil {
			return nil, err
		}
	}
	c := &Continued{Tokens: []int32{}, PromptTokens: len(prompt), PerToken: j.Model.CacheBytes(drop, 2, 4) - j.Model.CacheBytes(drop, 1, 4),
		CacheBytes: j.Model.CacheBytes(drop, j.Model.Length(len(prompt), o.Tokens), 4)}
	shown, failed := 0, error(nil)
	began := time.Now()
	var first time.Time
	stop := func(ids []int32) bool {
		if len(ids) == 1 {
			first = time.Now()
		}
		text, err := t.Decode(ids, true)
		if err != nil {
			failed = err
			return true
		}
		cut, stopped := bench.CutAt(text, o.Stop)
		c.Text = cut
		switch {
		case slices.Contains(ends, ids[len(ids)-1]):
			c.Ended = "end"
		case stopped:
			c.Ended = "stop"
		}
		if o.Show != nil {
			if safe := settled(cut, o.Stop, c.Ended != ""); safe > shown {
				o.Show(cut[shown:safe])
				shown = safe
			}
		}
		return c.Ended != ""
	}
	request := engine.Request{IDs: prompt, Tokens: o.Tokens, Stop: stop}
	var made [][]int32
	if o.Draft != nil {
		var s *bench.Speculated
		draft := *o.Draft
		draft.Sampling = o.Sampling
		if s, err = bench.Speculate(ctx, j.Model, draft, request, 0); err == nil {
			made, c.Proposed, c.Accepted, c.CacheBytes = [][]int32{s.IDs}, s.Proposed, s.Accepted, s.CacheBytes
		}
	} else {
		made, err = j.Model.Generate(ctx, []engine.Request{request}, engine.Generating{Drop: drop, Sampling: o.Sampling})
	}
	if err == nil {
		err = failed
	}
	if err != nil {
		return nil, err
	}
	took := time.Since(began)
	if c.Tokens = append(c.Tokens, made[0]...); len(c.Tokens) == 0 {
		return nil, fmt.Errorf("%s: the prompt's %d tokens fill the context; a shorter one leaves room for an answer", j.Model.Ref, len(prompt))
	}
	if c.Ended == "" {
		if c.Ended = "tokens"; o.Tokens <= 0 || len(c.Tokens) < o.Tokens {
			c.Ended = "context"
		}
	}
	if o.Show != nil && shown < len(c.Text) {
		o.Show(c.Text[shown:])
	}
	c.Seconds, c.PromptSeconds = took.Seconds(), first.Sub(began).Seconds()
	if n := len(c.Tokens) - 1; n > 0 {
		c.PerSecond = float64(n) / max((c.Seconds-c.PromptSeconds), 1e-9)
	}
	return c, nil
}

// settled is how much of a text will not change when more is said: not what may be the beginning of a string that stops it, nor a character
// of which not all bytes have come.
func settled(text string, stop []string, ended bool) int {
	if ended {
		return len(text)
	}
	safe := len(text)
	for _, s := range stop {
		for n := min(len(s)-1, len(text)); n > 0; n-- {
			if strings.HasSuffix(text, s[:n]) {
				safe = min(safe, len(text)-n)
				break
			}
		}
	}
	for strings.HasSuffix(text[:safe], string(utf8.RuneError)) {
		safe -= len(string(utf8.RuneError))
	}
	return safe
}
