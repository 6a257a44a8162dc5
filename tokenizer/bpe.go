// Byte-pair encoding (Sennrich, Haddow, Birch 2016): a word begins as its characters (or bytes), and the pair of neighbours whose
// merge has the lowest rank is joined, the leftmost first, until no pair has a merge.
//
// Merges are keyed by the pair of ids and held in an open-addressing table; candidates wait in a heap ordered by (rank, position).

package tokenizer

import (
	"fmt"
	"math/bits"
	"unicode/utf8"
)

// A merge is what a pair of tokens becomes; rank orders merges, lowest first.
type merge struct{ rank, id int32 }

// mergeTable maps pairs of ids to merges.
type mergeTable struct {
	keys   []uint64 // pair + 1; 0: free
	values []merge
	shift  int
	count  int
}

func newMergeTable(capacity int) *mergeTable {
	size := max(16, 1<<bits.Len(uint(2*capacity)))
	return &mergeTable{keys: make([]uint64, size), values: make([]merge, size), shift: 64 - bits.Len(uint(size-1))}
}

func pairKey(left, right int32) uint64 { return uint64(uint32(left))<<32 | uint64(uint32(right)) + 1 }

func (t *mergeTable) slot(key uint64) int { return int(key * 0x9e3779b97f4a7c15 >> t.shift) }

// set stores a merge; a later one for the same pair replaces the earlier.
func (t *mergeTable) set(left, right int32, m merge) {
	if 2*t.count >= len(t.keys) {
		grown := newMergeTable(len(t.keys))
		for i, key := range t.keys {
			if key != 0 {
				grown.put(key, t.values[i])
			}
		}
		*t = *grown
	}
	t.put(pairKey(left, right), m)
}

func (t *mergeTable) put(key uint64, m merge) {
	i := t.slot(key)
	for t.keys[i] != 0 && t.keys[i] != key {
		i = (i + 1) & (len(t.keys) - 1)
	}
	if t.keys[i] == 0 {
		t.count++
	}
	t.keys[i], t.values[i] = key, m
}

func (t *mergeTable) get(left, right int32) (merge, bool) {
	key := pairKey(left, right)
	for i := t.slot(key); t.keys[i] != 0; i = (i + 1) & (len(t.keys) - 1) {
		if t.keys[i] == key {
			return t.values[i], true
		}
	}
	return merge{}, false
}

// bpe is the model over strings. It is the general form; byteBPE and spacedBPE are faster where they apply and agree with it.
type bpe struct {
	vocab        *vocabulary
	merges       *mergeTable
	prefix       string // put before every character but a word's first
	suffix       string // put behind a word's last character
	unknown      int32  // -1: characters without a token are dropped; unknownMissing: they are an error
	fuseUnknown  bool   // a run of unknown characters becomes one token
	byteFallback bool   // unknown characters become their bytes' tokens
	ignoreMerges bool   // a word that is a token as a whole is that token
	bytes        [256]int32
	runes        *runeTokens
}

// runeTokens maps single characters to their tokens.
type runeTokens struct {
	ascii [utf8.RuneSelf]int32
	other map[rune]int32
}

func newRuneTokens(vocab *vocabulary) *runeTokens {
	t := &runeTokens{other: map[rune]int32{}}
	for i := range t.ascii {
		t.ascii[i] = -1
	}
	for token, id := range vocab.ids {
		r, n := utf8.DecodeRuneInString(token)
		if n == 0 || n != len(token) || r == utf8.RuneError && n == 1 {
			continue
		}
		if r < utf8.RuneSelf {
			t.ascii[r] = id
		} else {
			t.other[r] = id
		}
	}
	return t
}

func (t *runeTokens) get(r rune) int32 {
	if r < utf8.RuneSelf {
		return t.ascii[r]
	}
	if id, ok := t.other[r]; ok {
		return id
	}
	return -1
}

// byteTokens returns the tokens <0x00> to <0xFF>, -1 where one is missing.
func byteTokens(vocab *vocabulary) (ids [256]int32) {
	for b := range ids {
		ids[b] = -1
		if id, ok := vocab.ids[fmt.Sprintf("<0x%02X>", b)]; ok {
			ids[b] = id
		}
	}
	return ids
}

func (m *bpe) encode(c *call, word piece) {
	if m.ignoreMerges {
		if id, ok := m.vocab.ids[word.text]; ok {
			c.add(id, word, 0, len(word.text))
			return
		}
	}
	w := workspaces.Get().(*workspace)
	defer workspaces.Put(w)
	w.begin(m.count(word.text), c.track)
	if err := m.symbols(w, word.text); err != nil {
		c.fail(err)
		return
	}
	if w.merge(c, m.merges); c.err != nil {
		return
	}
	if !c.track {
		c.take(w)
		return
	}
	for k, id := range w.symbols {
		start := int(w.starts[k])
		c.add(id, word, start, max(start, w.until(k, len(word.text)))) // an unknown token may come behind the bytes of what follows it
	}
}

// count is how many symbols a word has before anything is merged. Of a short word it is the most there can be.
func (m *bpe) count(word string) int {
	n := symbolsOf(word)
	if len(word) > longWord && m.byteFallback {
		for _, r := range word {
			if m.runes.get(r) < 0 {
				n += utf8.RuneLen(r) - 1
			}
		}
	}
	return n
}

// symbolsOf is how many characters a word has, of a short one the most it can have.
func symbolsOf(word string) int {
	if len(word) <= longWord {
		return len(word)
	}
	return utf8.RuneCountInString(word)
}

const unknownMissing = -2 // the model names an unknown token that its vocabulary does not hold

// symbols fills w with the tokens of word's characters. A pending unknown token is written when the next known character comes;
// byte tokens go before it, as in the reference.
func (m *bpe) symbols(w *workspace, word string) error {
	pending, since := false, 0 // an unknown token is to be written, for what begins at since
	for i := 0; i < len(word); {
		at := i
		r, n := utf8.DecodeRuneInString(word[i:])
		char := word[i : i+n]
		id := int32(-1)
		if m.prefix == "" && m.suffix == "" {
			id = m.runes.get(r)
		} else {
			if i > 0 {
				char = m.prefix + char
			}
			if i+n == len(word) {
				char += m.suffix
			}
			if known, ok := m.vocab.ids[char]; ok {
				id = known
			}
		}
		i += n
		switch {
		case id >= 0:
			if pending {
				w.add(m.unknown, since)
				pending = false
			}
			w.add(id, at)
		case m.byteFallback && m.addBytes(w, char, at, n):
		case m.unknown == unknownMissing:
			return kindf(ErrText, "model: %q has no token, and the vocabulary has no unknown token", char)
		case m.unknown >= 0:
			if pending && !m.fuseUnknown {
				w.add(m.unknown, since)
				pending = false
			}
			if !pending {
				pending, since = true, at
			}
		}
	}
	if pending {
		w.add(m.unknown, since)
	}
	return nil
}

// addBytes adds the tokens of the bytes of char, which stands for n bytes of the word at `at`.
func (m *bpe) addBytes(w *workspace, char string, at, n int) bool {
	for i := 0; i < len(char); i++ {
		if m.bytes[char[i]] < 0 {
			return false
		}
	}
	for i := 0; i < len(char); i++ {
		w.add(m.bytes[char[i]], at+min(i, n-1))
	}
	return true
}
