// Package tokenizer turns text into token ids and back, exactly as the library a model was trained with does.
//
// It reads tokenizer.json (byte-level BPE, metaspace and legacy BPE, Unigram, WordPiece, WordLevel), SentencePiece's
// tokenizer.model and the vocabulary inside a GGUF file; all three feed the same parts. The order of work is the one the
// file format implies: added tokens are cut out of the raw text, what lies between them is normalised, added tokens marked
// "normalized" are cut out of that, the rest is split into words, the model turns words into ids, and the post-processor
// puts its own tokens around. A part this package does not know is an error that names it; nothing is skipped in silence.
// The truncation and padding a file may carry are not applied: whoever scores text decides on lengths.
package tokenizer

import (
	"errors"
	"fmt"
	"unicode/utf8"
)

// Tokenizer maps text to ids and ids to text. It is safe for concurrent use.
type Tokenizer struct {
	name      string
	vocab     *vocabulary
	added     *addedTokens
	normalize normalizer // nil: text is taken as it is
	words     wordEncoder
	post      []postPiece
	decoders  []decoder // nil: tokens are joined by spaces
	bos, eos  int32     // -1: the file names none
	silent    bool      // the file does not say which tokens go around a text; tokenizer_config.json may
}

// A wordEncoder appends the ids of a normalised stretch of text that holds no added token. first tells whether the stretch
// begins where the whole text begins.
type wordEncoder interface {
	encode(ids []int32, text string, first bool) ([]int32, error)
}

// A postPiece is either the text itself or ids put beside it.
type postPiece struct {
	text bool
	ids  []int32
}

// Encode returns the ids of text. With special set, the tokens that the tokenizer's own post-processor adds are included.
// Text that is not UTF-8 is an error naming the first bad byte.
func (t *Tokenizer) Encode(text string, special bool) ([]int32, error) {
	return t.AppendEncode(make([]int32, 0, len(text)/4+4), text, special)
}

// AppendEncode is Encode that appends to ids. On error it returns ids as they were.
func (t *Tokenizer) AppendEncode(ids []int32, text string, special bool) ([]int32, error) {
	if !utf8.ValidString(text) {
		at := firstInvalid(text)
		return ids, fmt.Errorf("tokenizer: %s: text: byte %d (0x%02x) is not UTF-8", t.name, at, text[at])
	}
	start := len(ids)
	var err error
	for _, piece := range t.post {
		switch {
		case piece.text:
			if ids, err = t.appendText(ids, text); err != nil {
				return ids[:start], fmt.Errorf("tokenizer: %s: %w", t.name, err)
			}
		case special:
			ids = append(ids, piece.ids...)
		}
	}
	return ids, nil
}

func (t *Tokenizer) appendText(ids []int32, text string) ([]int32, error) {
	if text == "" {
		return ids, nil
	}
	if t.added.raw == nil {
		return t.appendSegment(ids, text, true)
	}
	var err error
	for at := range t.added.raw.matches(text) {
		if at.id >= 0 {
			ids = append(ids, at.id)
		} else if ids, err = t.appendSegment(ids, text[at.start:at.end], at.start == 0); err != nil {
			return ids, err
		}
	}
	return ids, nil
}

// appendSegment encodes text between added tokens.
func (t *Tokenizer) appendSegment(ids []int32, text string, first bool) ([]int32, error) {
	if t.normalize != nil {
		var removed bool
		var err error
		if text, removed, err = t.normalize.normalize(text); err != nil {
			return ids, err
		}
		first = first && !removed
		if text == "" {
			return ids, nil
		}
	}
	if t.added.normalized == nil {
		return t.words.encode(ids, text, first)
	}
	var err error
	for at := range t.added.normalized.matches(text) {
		if at.id >= 0 {
			ids = append(ids, at.id)
		} else if ids, err = t.words.encode(ids, text[at.start:at.end], first && at.start == 0); err != nil {
			return ids, err
		}
	}
	return ids, nil
}

// Decode returns the text of ids. With skipSpecial set, tokens marked special are left out. An id that names no token is an
// error.
func (t *Tokenizer) Decode(ids []int32, skipSpecial bool) (string, error) {
	tokens := make([]string, 0, len(ids))
	for _, id := range ids {
		token, ok := t.surface(id)
		if !ok {
			return "", fmt.Errorf("tokenizer: %s: id %d names no token, want 0 to %d", t.name, id, t.Size()-1)
		}
		if skipSpecial && t.added.special[token] {
			continue
		}
		tokens = append(tokens, token)
	}
	return decodeTokens(t.decoders, tokens), nil
}

// surface returns the text a decoder sees for id: for an added token that is matched after normalisation, its normalised form.
func (t *Tokenizer) surface(id int32) (string, bool) {
	if text, ok := t.added.surface[id]; ok {
		return text, true
	}
	return t.vocab.token(id)
}

// Size returns the number of ids: one more than the highest, holes included.
func (t *Tokenizer) Size() int { return len(t.vocab.tokens) }

// BOS returns the id of the token that begins a text, and whether there is one.
func (t *Tokenizer) BOS() (int32, bool) { return t.bos, t.bos >= 0 }

// EOS returns the id of the token that ends a text, and whether there is one.
func (t *Tokenizer) EOS() (int32, bool) { return t.eos, t.eos >= 0 }

// AddsBOS reports whether Encode with special set begins with the id that BOS returns.
func (t *Tokenizer) AddsBOS() bool {
	return t.bos >= 0 && len(t.post) > 0 && !t.post[0].text && len(t.post[0].ids) > 0 && t.post[0].ids[0] == t.bos
}

// Token returns the token of id as the vocabulary spells it, or "" where id names none.
func (t *Tokenizer) Token(id int32) string {
	token, _ := t.vocab.token(id)
	return token
}

// boundary names the tokens that begin and end a text where only the post-processor tells: the first id before the text and the
// last one behind it.
func (t *Tokenizer) boundary() (bos, eos int32) {
	bos, eos = -1, -1
	seen := false
	for _, piece := range t.post {
		switch {
		case piece.text:
			seen = true
		case len(piece.ids) == 0:
		case !seen && bos < 0:
			bos = piece.ids[0]
		case seen:
			eos = piece.ids[len(piece.ids)-1]
		}
	}
	return bos, eos
}

func (t *Tokenizer) checkPost() error {
	total := 0
	for _, piece := range t.post {
		total += len(piece.ids) + 1
		for _, id := range piece.ids {
			if _, ok := t.vocab.token(id); !ok {
				return fmt.Errorf("post_processor: id %d names no token, want 0 to %d", id, t.Size()-1)
			}
		}
	}
	if total > 1<<12 {
		return errors.New("post_processor: adds more than 4096 tokens")
	}
	return nil
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
