// The vocabulary: tokens by id and ids by token. Ids come from files, so their range is checked before anything is sized by it.

package tokenizer

import "fmt"

const longestToken = 4096 // bytes; bounds the work a token can cause at every position of a text

type vocabulary struct {
	ids    map[string]int32 // the model's own
	extra  map[string]int32 // added beside the model, which must not see them
	tokens []string         // by id
	known  []bool           // by id; false in the holes
	own    int              // number of the model's own tokens
}

// newVocabulary builds the table by id. An id below zero, one far beyond the number of tokens, and an id named twice are errors.
func newVocabulary(ids map[string]int64) (*vocabulary, error) {
	highest, limit := int64(-1), 8*int64(len(ids))+1<<16
	for token, id := range ids {
		if id < 0 || id >= limit {
			return nil, fmt.Errorf("vocab: %.80q has id %d, want 0 to %d for %d tokens", token, id, limit-1, len(ids))
		}
		if len(token) > longestToken {
			return nil, fmt.Errorf("vocab: %.40q… is %d bytes long, want at most %d", token, len(token), longestToken)
		}
		highest = max(highest, id)
	}
	v := &vocabulary{ids: make(map[string]int32, len(ids)), extra: map[string]int32{}, own: len(ids),
		tokens: make([]string, highest+1), known: make([]bool, highest+1)}
	for token, id := range ids {
		if v.known[id] {
			first, second := min(token, v.tokens[id]), max(token, v.tokens[id])
			return nil, fmt.Errorf("vocab: id %d belongs to both %.80q and %.80q", id, first, second)
		}
		v.ids[token], v.tokens[id], v.known[id] = int32(id), token, true
	}
	return v, nil
}

func (v *vocabulary) token(id int32) (string, bool) {
	if id < 0 || int(id) >= len(v.tokens) || !v.known[id] {
		return "", false
	}
	return v.tokens[id], true
}

// id finds a token, the model's or an added one.
func (v *vocabulary) id(token string) (int32, bool) {
	if id, ok := v.extra[token]; ok {
		return id, true
	}
	id, ok := v.ids[token]
	return id, ok
}

// add puts a token beside the model's own.
func (v *vocabulary) add(token string, id int32) {
	for int(id) >= len(v.tokens) {
		v.tokens, v.known = append(v.tokens, ""), append(v.known, false)
	}
	v.extra[token], v.tokens[id], v.known[id] = id, token, true
}

// newVocabularyList numbers tokens by their place. Of equal tokens the last is the one that its text means.
func newVocabularyList(tokens []string) *vocabulary {
	v := &vocabulary{ids: make(map[string]int32, len(tokens)), extra: map[string]int32{}, own: len(tokens),
		tokens: tokens, known: make([]bool, len(tokens))}
	for id, token := range tokens {
		v.ids[token], v.known[id] = int32(id), true
	}
	return v
}

// size is the number of the model's own tokens, from which added tokens are numbered.
func (v *vocabulary) size() int { return v.own }
