// Added tokens: strings that are found in the text before any model sees it, longest first, leftmost first. One set is matched in
// the raw text, the other (those marked "normalized") in the normalised text.
//
// A token may demand to stand as a word of its own (single_word) and may swallow the white space on either side (lstrip, rstrip).
// The ids are not those written beside the tokens but those the tokenizers library gives: the vocabulary's where it knows the
// string, else the next free one, in file order.

package tokenizer

import (
	"fmt"
	"iter"
	"unicode/utf8"
)

type addedToken struct {
	ID         int64  `json:"id"`
	Content    string `json:"content"`
	SingleWord bool   `json:"single_word"`
	LeftStrip  bool   `json:"lstrip"`
	RightStrip bool   `json:"rstrip"`
	Normalized bool   `json:"normalized"`
	Special    bool   `json:"special"`
}

type addedTokens struct {
	raw, normalized *tokenFinder // nil: no such token
	special         map[string]bool
	surface         map[int32]string // what a decoder sees, where it is not the token itself
}

// newAddedTokens extends vocab by tokens. modelSize is the number of tokens of the model alone.
func newAddedTokens(tokens []addedToken, vocab *vocabulary, modelSize int, n normalizer) (*addedTokens, error) {
	a := &addedTokens{special: map[string]bool{}, surface: map[int32]string{}}
	byID := map[int32]addedToken{}
	var order []int32
	next := int32(modelSize)
	for _, token := range tokens {
		if token.Content == "" {
			continue
		}
		if len(token.Content) > longestToken {
			return nil, fmt.Errorf("added_tokens: %.40q… is %d bytes long, want at most %d", token.Content, len(token.Content), longestToken)
		}
		id, ok := vocab.id(token.Content)
		if !ok {
			// A vocabulary with holes could already hold this number.
			if _, taken := vocab.token(next); taken {
				return nil, fmt.Errorf("added_tokens: %.80q would get id %d, which is taken", token.Content, next)
			}
			id = next
			next++
			vocab.add(token.Content, id)
		}
		if _, again := byID[id]; !again {
			order = append(order, id)
		}
		byID[id] = token
		if token.Special {
			a.special[token.Content] = true
		}
	}
	var raw, normalized []pattern
	for _, id := range order {
		token := byID[id]
		if !token.Normalized {
			raw = append(raw, pattern{token.Content, id, token})
			continue
		}
		text := token.Content
		if n != nil {
			var err error
			if text, err = n.text(text); err != nil {
				return nil, fmt.Errorf("added_tokens: %.80q: %w", token.Content, err)
			}
			if text != token.Content {
				a.surface[id] = text
			}
		}
		normalized = append(normalized, pattern{text, id, token})
	}
	a.raw, a.normalized = newTokenFinder(raw), newTokenFinder(normalized)
	return a, nil
}

type pattern struct {
	text  string
	id    int32
	token addedToken
}

// A tokenFinder finds patterns by a trie over bytes; a table of the first two bytes keeps most positions from asking the trie.
type tokenFinder struct {
	patterns []pattern
	edges    map[uint64]int32 // node<<8 | byte → node
	final    []int32          // by node: index into patterns, or -1
	start    [256]bool
	pairs    [1 << 16 / 64]uint64
}

func newTokenFinder(patterns []pattern) *tokenFinder {
	f := &tokenFinder{edges: map[uint64]int32{}, final: []int32{-1}}
	for _, p := range patterns {
		if p.text == "" {
			continue
		}
		node := int32(0)
		for i := 0; i < len(p.text); i++ {
			edge := uint64(node)<<8 | uint64(p.text[i])
			child, ok := f.edges[edge]
			if !ok {
				child = int32(len(f.final))
				f.final = append(f.final, -1)
				f.edges[edge] = child
			}
			node = child
		}
		if f.final[node] >= 0 {
			continue // two tokens with one normalised form: the first is found
		}
		f.final[node] = int32(len(f.patterns))
		f.patterns = append(f.patterns, p)
		f.start[p.text[0]] = true
		if len(p.text) > 1 {
			pair := uint(p.text[0])<<8 | uint(p.text[1])
			f.pairs[pair/64] |= 1 << (pair % 64)
			continue
		}
		for second := range uint(256) {
			pair := uint(p.text[0])<<8 | second
			f.pairs[pair/64] |= 1 << (pair % 64)
		}
	}
	if len(f.patterns) == 0 {
		return nil
	}
	return f
}

// find returns the leftmost longest match at or behind i.
func (f *tokenFinder) find(c *call, text string, i int) (start, end int, p *pattern) {
	for ; i < len(text) && !c.ended(1); i++ {
		if !f.start[text[i]] {
			continue
		}
		if i+1 < len(text) {
			if pair := uint(text[i])<<8 | uint(text[i+1]); f.pairs[pair/64]>>(pair%64)&1 == 0 {
				continue
			}
		}
		p, end := f.at(text, i)
		if p != nil {
			return i, end, p
		}
		c.ended(end - i)
	}
	return len(text), len(text), nil
}

// at returns the longest match that begins at i, and its end; where there is none, how far one seemed possible.
func (f *tokenFinder) at(text string, i int) (p *pattern, end int) {
	node := int32(0)
	end = i
	for j := i; j < len(text); j++ {
		child, ok := f.edges[uint64(node)<<8|uint64(text[j])]
		if !ok {
			if p == nil {
				end = j
			}
			break
		}
		if node = child; f.final[node] >= 0 {
			p, end = &f.patterns[f.final[node]], j+1
		}
	}
	return p, end
}

// A stretch is text[start:end], an added token where id ≥ 0.
type stretch struct {
	start, end int
	id         int32
}

// matches yields the stretches that cover text, none of them empty.
func (f *tokenFinder) matches(c *call, text string) iter.Seq[stretch] {
	return func(yield func(stretch) bool) {
		done := 0
		for from := 0; ; {
			start, end, p := f.find(c, text, from)
			if p == nil {
				break
			}
			from = end
			c.ended(end - start)
			if p.token.SingleWord && (wordBefore(text, start) || wordAfter(text, end)) {
				continue
			}
			if p.token.LeftStrip {
				start = spaceBefore(text, start, done)
			}
			if p.token.RightStrip {
				end = spaceAfter(text, end)
			}
			if done < start && !yield(stretch{done, start, -1}) {
				return
			}
			if !yield(stretch{start, end, p.id}) {
				return
			}
			done = end
		}
		if done < len(text) {
			yield(stretch{done, len(text), -1})
		}
	}
}

func wordBefore(text string, i int) bool {
	r, n := utf8.DecodeLastRuneInString(text[:i])
	return n > 0 && isWord(r)
}

func wordAfter(text string, i int) bool {
	r, n := utf8.DecodeRuneInString(text[i:])
	return n > 0 && isWord(r)
}

// spaceBefore returns where the white space before i begins, not before floor.
func spaceBefore(text string, i, floor int) int {
	for i > floor {
		r, n := utf8.DecodeLastRuneInString(text[:i])
		if !isSpace(r) {
			break
		}
		i -= n
	}
	return i
}

func spaceAfter(text string, i int) int {
	for i < len(text) {
		r, n := utf8.DecodeRuneInString(text[i:])
		if !isSpace(r) {
			break
		}
		i += n
	}
	return i
}
