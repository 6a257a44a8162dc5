// Decoders: the way from tokens back to text, read from the "decoder" of tokenizer.json. Each takes the list of tokens and returns
// another; the text is the last list joined.

package tokenizer

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"unicode/utf8"
)

// A decoder makes another list of a list of tokens.
type decoder func(c *call, tokens []string) []string

const knownDecoders = "BPEDecoder, ByteFallback, ByteLevel, Fuse, Metaspace, Replace, Sequence, Strip, WordPiece"

// Decode returns the text of ids. With skipSpecial set, tokens marked special are left out. An id that names no token is an error of
// the kind ErrID.
func (t *Tokenizer) Decode(ids []int32, skipSpecial bool) (string, error) {
	tokens := make([]string, 0, len(ids))
	c := &call{ctx: context.Background()}
	bytes := 0
	for _, id := range ids {
		token, ok := t.surface(id)
		if !ok {
			return "", located(t.name, kindf(ErrID, "id %d names no token, want 0 to %d", id, t.Size()-1))
		}
		if skipSpecial && t.added.special[token] {
			continue
		}
		tokens = append(tokens, token)
		bytes += len(token) + 1
	}
	c.bounds(bytes)
	text := decodeTokens(c, t.decoders, tokens)
	if c.err != nil {
		return "", located(t.name, c.err)
	}
	return text, nil
}

// surface returns the text a decoder sees for id: for an added token that is matched after normalisation, its normalised form.
func (t *Tokenizer) surface(id int32) (string, bool) {
	if text, ok := t.added.surface[id]; ok {
		return text, true
	}
	return t.vocab.token(id)
}

// decodeTokens runs the decoders; without any, tokens are joined by spaces.
func decodeTokens(c *call, decoders []decoder, tokens []string) string {
	if decoders == nil {
		return strings.Join(tokens, " ")
	}
	for _, d := range decoders {
		if tokens = d(c, tokens); c.err != nil {
			return ""
		}
		total := 0
		for _, token := range tokens {
			total += len(token)
		}
		if total > c.limit {
			c.fail(kindf(ErrLimit, "decoder: more than %d bytes of text", c.limit))
			return ""
		}
	}
	return strings.Join(tokens, "")
}

func parseDecoders(raw json.RawMessage, depth int) ([]decoder, error) {
	if absent(raw) {
		return nil, nil
	}
	if depth > deepestNesting {
		return nil, fmt.Errorf("decoder: nested more than %d deep", deepestNesting)
	}
	kind, err := kindOf(raw)
	if err != nil {
		return nil, fmt.Errorf("decoder: %w", err)
	}
	decode := func(into any) {
		if e := unmarshal(raw, into); e != nil {
			err = fmt.Errorf("decoder %s: %w", kind, e)
		}
	}
	var d decoder
	switch kind {
	case "Sequence":
		var s struct{ Decoders []json.RawMessage }
		decode(&s)
		all := []decoder{}
		for _, part := range s.Decoders {
			list, e := parseDecoders(part, depth+1)
			if e != nil {
				return nil, e
			}
			if all = append(all, list...); len(all) > mostParts {
				return nil, fmt.Errorf("decoder: more than %d decoders", mostParts)
			}
		}
		return all, err
	case "ByteLevel":
		d = decodeByteLevel
	case "ByteFallback":
		d = decodeByteFallback
	case "Fuse":
		d = fused
	case "Replace":
		r, e := parseReplace(raw)
		if e != nil {
			return nil, fmt.Errorf("decoder %w", e)
		}
		d = rewritten(r)
	case "Strip":
		var s struct {
			Content     string
			Start, Stop uint64
		}
		decode(&s)
		r, n := utf8.DecodeRuneInString(s.Content)
		if err == nil && (n == 0 || n != len(s.Content)) {
			err = fmt.Errorf("decoder Strip: content %.40q is not one character", s.Content)
		}
		d = func(_ *call, tokens []string) []string { return decodeStrip(tokens, r, s.Start, s.Stop) }
	case "Metaspace":
		m, e := parseMetaspace(raw)
		if e != nil {
			return nil, fmt.Errorf("decoder %w", e)
		}
		d = func(_ *call, tokens []string) []string { return decodeMetaspace(tokens, m) }
	case "WordPiece":
		w := struct {
			Prefix  string
			Cleanup bool
		}{"##", true}
		decode(&w)
		d = func(_ *call, tokens []string) []string { return decodeWordPiece(tokens, w.Prefix, w.Cleanup) }
	case "BPEDecoder":
		b := struct{ Suffix string }{"</w>"}
		decode(&b)
		d = decodeSuffix(b.Suffix)
	default:
		return nil, unsupported("decoder: unknown type %.80q, known are %s", kind, knownDecoders)
	}
	return []decoder{d}, err
}

// decodeByteLevel turns the byte alphabet into bytes; a token that is not of that alphabet stands for itself.
func decodeByteLevel(_ *call, tokens []string) []string {
	var all []byte
	for _, token := range tokens {
		if bytes, ok := fromByteAlphabet(token); ok {
			all = append(all, bytes...)
		} else {
			all = append(all, token...)
		}
	}
	return []string{lossy(all)}
}

// decodeByteFallback turns runs of <0xNN> into text, or one U+FFFD a byte where a run is not UTF-8.
func decodeByteFallback(_ *call, tokens []string) []string {
	out := make([]string, 0, len(tokens))
	var run []byte
	flush := func() {
		if utf8.Valid(run) {
			out = append(out, string(run))
		} else {
			for range run {
				out = append(out, "\ufffd")
			}
		}
		run = run[:0]
	}
	for _, token := range tokens {
		if b, ok := byteToken(token); ok {
			run = append(run, b)
			continue
		}
		if len(run) > 0 {
			flush()
		}
		out = append(out, token)
	}
	if len(run) > 0 {
		flush()
	}
	return out
}

func byteToken(token string) (byte, bool) {
	if len(token) != 6 || !strings.HasPrefix(token, "<0x") || token[5] != '>' {
		return 0, false
	}
	high, low := hexDigit(token[3]), hexDigit(token[4])
	if token[3] == '+' { // Rust's number parser takes a sign
		high = 0
	}
	return byte(high<<4 | low), high >= 0 && low >= 0
}

func hexDigit(c byte) int {
	switch {
	case c >= '0' && c <= '9':
		return int(c - '0')
	case c >= 'a' && c <= 'f':
		return int(c-'a') + 10
	case c >= 'A' && c <= 'F':
		return int(c-'A') + 10
	}
	return -1
}

func fused(_ *call, tokens []string) []string { return []string{strings.Join(tokens, "")} }

// rewritten applies a rule to each token. What all of them have together is bounded as what one may have.
func rewritten(r rule) decoder {
	return func(c *call, tokens []string) []string {
		out := make([]string, len(tokens))
		limit := c.limit
		for i, token := range tokens {
			p, _ := c.apply(r, piece{text: token})
			if c.err != nil {
				return nil
			}
			out[i] = p.text
			c.limit = max(0, c.limit-len(p.text))
		}
		c.limit = limit
		return out
	}
}

// decodeStrip removes up to start occurrences of r in front of each token and up to stop behind it.
func decodeStrip(tokens []string, r rune, start, stop uint64) []string {
	out := make([]string, len(tokens))
	symbol := string(r)
	for i, token := range tokens {
		for n := uint64(0); n < start && strings.HasPrefix(token, symbol); n++ {
			token = token[len(symbol):]
		}
		for n := uint64(0); n < stop && strings.HasSuffix(token, symbol); n++ {
			token = token[:len(token)-len(symbol)]
		}
		out[i] = token
	}
	return out
}

func decodeMetaspace(tokens []string, m metaspace) []string {
	out := make([]string, len(tokens))
	for i, token := range tokens {
		space := " "
		if i == 0 && m.prefix != "never" {
			space = ""
		}
		out[i] = strings.ReplaceAll(token, m.symbol, space)
	}
	return out
}

func decodeWordPiece(tokens []string, prefix string, cleanup bool) []string {
	out := make([]string, len(tokens))
	for i, token := range tokens {
		if i > 0 {
			if rest, ok := strings.CutPrefix(token, prefix); ok {
				token = rest
			} else {
				token = " " + token
			}
		}
		if cleanup {
			for _, pair := range englishSpacing {
				token = strings.ReplaceAll(token, pair[0], pair[1])
			}
		}
		out[i] = token
	}
	return out
}

// englishSpacing undoes, in this order, what splitting at punctuation does to English.
var englishSpacing = [][2]string{{" .", "."}, {" ?", "?"}, {" !", "!"}, {" ,", ","}, {" ' ", "'"}, {" n't", "n't"}, {" 'm", "'m"},
	{" do not", " don't"}, {" 's", "'s"}, {" 've", "'ve"}, {" 're", "'re"}}

// decodeSuffix puts spaces in place of what ends words, but nothing in the last token.
func decodeSuffix(suffix string) decoder {
	spaces, last := rewritten(&replace{literal: suffix, content: " "}), rewritten(&replace{literal: suffix})
	return func(c *call, tokens []string) []string {
		if len(tokens) == 0 {
			return tokens
		}
		n := len(tokens) - 1
		return append(spaces(c, tokens[:n]), last(c, tokens[n:])...)
	}
}
