// Encoding: from text to ids.

package tokenizer

import (
	"context"
	"unicode/utf8"
)

// A postPiece is either the text itself or ids put beside it.
type postPiece struct {
	text bool
	ids  []int32
}

// A Token is an id and the bytes of the text that it stands for: text[Start:End].
type Token struct {
	ID         int32
	Start, End int
}

// Encode returns the ids of text. With special set, the tokens that the tokenizer's own post-processor adds are included. Errors are
// of the kinds ErrText and ErrLimit.
func (t *Tokenizer) Encode(text string, special bool) ([]int32, error) {
	return t.EncodeContext(context.Background(), text, special)
}

// EncodeContext is Encode that ends soon after ctx does, with its error.
func (t *Tokenizer) EncodeContext(ctx context.Context, text string, special bool) ([]int32, error) {
	c := &call{ctx: ctx, ids: make([]int32, 0, min(len(text)/4+4, idsPerList))}
	t.encode(c, text, special)
	if c.err != nil {
		return nil, located(t.name, c.err)
	}
	return c.all(), nil
}

// EncodeFirst is the first n ids of EncodeContext, or all where there are fewer: of a long text it encodes hardly more than that takes.
func (t *Tokenizer) EncodeFirst(ctx context.Context, text string, special bool, n int) ([]int32, error) {
	if n <= 0 {
		return nil, nil
	}
	c := &call{ctx: ctx, enough: n, ids: make([]int32, 0, min(len(text)/4+4, n, idsPerList))}
	t.encode(c, text, special)
	if c.err != nil && c.err != errEnough {
		return nil, located(t.name, c.err)
	}
	ids := c.all()
	return ids[:min(n, len(ids))], nil
}

// EncodeOffsets is EncodeContext that also tells which bytes of text each token stands for. Tokens follow each other in the text and
// do not overlap, but where a rule of the file has turned several characters into one, or one into several: then each token of it
// has all of the bytes. Tokens that stand for nothing in the text, as the post-processor's, have Start equal to End. A token that is
// part of a character may begin or end inside it.
func (t *Tokenizer) EncodeOffsets(ctx context.Context, text string, special bool) ([]Token, error) {
	c := &call{ctx: ctx, track: true}
	t.encode(c, text, special)
	if c.err != nil {
		return nil, located(t.name, c.err)
	}
	tokens := make([]Token, len(c.ids))
	for i, id := range c.ids {
		tokens[i] = Token{id, int(c.extents[i].start), int(c.extents[i].end)}
	}
	return tokens, nil
}

func (t *Tokenizer) encode(c *call, text string, special bool) {
	if len(text) > longestText {
		c.fail(kindf(ErrText, "text: %d bytes, want at most %d", len(text), longestText))
		return
	}
	if !utf8.ValidString(text) {
		at := firstInvalid(text)
		c.fail(kindf(ErrText, "text: byte %d (0x%02x) is not UTF-8", at, text[at]))
		return
	}
	at := 0 // where the ids of a post-processor stand: in front of the text, or behind it
	for _, piece := range t.post {
		switch {
		case piece.text:
			t.encodeText(c, text)
			at = len(text)
		case special:
			for _, id := range piece.ids {
				c.addAt(id, at, at)
			}
		}
		if c.ended(workPerLook) {
			return
		}
	}
}

func (t *Tokenizer) encodeText(c *call, text string) {
	if text == "" {
		return
	}
	if t.added.raw == nil {
		t.encodeSegment(c, text, 0, len(text))
		return
	}
	for at := range t.added.raw.matches(c, text) {
		if at.id >= 0 {
			c.addAt(at.id, at.start, at.end)
		} else {
			t.encodeSegment(c, text, at.start, at.end)
		}
		if c.err != nil {
			return
		}
	}
}

// encodeSegment encodes text[start:end], which lies between added tokens.
func (t *Tokenizer) encodeSegment(c *call, text string, start, end int) {
	p := piece{text: text[start:end], first: start == 0}
	if c.track {
		p.origins = make([]extent, end-start)
		for i := range p.origins {
			p.origins[i] = extent{int32(start + i), int32(start + i + 1)}
		}
	}
	c.bounds(end - start)
	p, removed := t.normalize.apply(c, p)
	p.first = p.first && !removed
	if p.text == "" || c.err != nil {
		return
	}
	words := t.words
	if c.track {
		words = t.plain
	}
	if t.added.normalized == nil {
		words.encode(c, p)
		return
	}
	for at := range t.added.normalized.matches(c, p.text) {
		if at.id >= 0 {
			c.add(at.id, p, at.start, at.end)
		} else {
			words.encode(c, p.cut(at.start, at.end))
		}
		if c.err != nil {
			return
		}
	}
}

func firstInvalid(text string) int {
	for i := 0; i < len(text); {
		r, n := utf8.DecodeRuneInString(text[i:])
		if r == utf8.RuneError && n == 1 {
			return i
		}
		i += n
	}
	return len(text)
}
