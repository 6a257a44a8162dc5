// Word encoders: the way from a stretch of normalised text to ids. pipeline is the plain one, which any tokenizer can take: every
// splitter over all pieces, then the model over every word. byteBPE and spacedBPE are shorter ways for the two common kinds of BPE;
// they give the same ids and are compared with pipeline in the tests.
package tokenizer

import (
	"strings"
	"unicode/utf8"
)

// A model turns a word into ids.
type model interface {
	encode(ids []int32, word string) ([]int32, error)
}

type pipeline struct {
	splitters []splitter
	model     model
	cache     *wordCache // nil: no word is remembered
}

func (p *pipeline) encode(ids []int32, text string, first bool) ([]int32, error) {
	pieces, err := splitAll(p.splitters, text, first)
	if err != nil {
		return ids, err
	}
	for _, piece := range pieces {
		if piece.text == "" {
			continue
		}
		if ids, err = p.word(ids, piece.text); err != nil {
			return ids, err
		}
	}
	return ids, nil
}

func (p *pipeline) word(ids []int32, word string) ([]int32, error) {
	if p.cache == nil || len(word) > longestCached {
		return p.model.encode(ids, word)
	}
	known, slot := p.cache.get(word)
	if known != nil {
		return append(ids, known...), nil
	}
	start := len(ids)
	ids, err := p.model.encode(ids, word)
	if err == nil {
		p.cache.put(slot, word, ids[start:])
	}
	return ids, err
}

func splitAll(splitters []splitter, text string, first bool) ([]piece, error) {
	pieces := []piece{{text, first}}
	for _, s := range splitters {
		next := make([]piece, 0, len(pieces))
		for _, p := range pieces {
			if p.text == "" {
				continue
			}
			var err error
			if next, err = s.split(next, p); err != nil {
				return nil, err
			}
		}
		pieces = next
	}
	return pieces, nil
}

// byteBPE is BPE over bytes. Words are looked up as they stand in the text; the byte alphabet exists only in the file.
type byteBPE struct {
	before  []splitter       // splitters ahead of the last
	cutters []*patternSplit  // the same, where all of them do nothing but cut; else nil
	prefix  bool             // a space goes in front of every piece that lacks one
	scan    scanner          // nil: a piece is a word
	symbols [256]int32       // -1: a byte without a token, which is dropped
	whole   map[string]int32 // words that are tokens as a whole, where the model says that merges do not matter; else nil
	merges  *mergeTable
	cache   *wordCache
}

// newByteBPE returns the short way for m behind splitters, or nil where it does not apply.
func newByteBPE(splitters []splitter, m *bpe) *byteBPE {
	if len(splitters) == 0 || m.prefix != "" || m.suffix != "" {
		return nil
	}
	last, ok := splitters[len(splitters)-1].(byteLevel)
	if !ok {
		return nil
	}
	b := &byteBPE{before: splitters[:len(splitters)-1], prefix: last.AddPrefixSpace, merges: m.merges, cache: newWordCache()}
	for _, s := range b.before {
		if _, again := s.(byteLevel); again {
			return nil
		}
	}
	if last.UseRegex {
		b.scan = scannerFor(patternGPT2)
	} else if n := len(b.before); n > 0 && !b.prefix {
		if s, ok := b.before[n-1].(*patternSplit); ok && s.whole() {
			b.before, b.scan = b.before[:n-1], s.scan
		}
	}
	for _, s := range b.before {
		cutter, ok := s.(*patternSplit)
		if !ok || !cutter.cuts() {
			b.cutters = nil
			break
		}
		b.cutters = append(b.cutters, cutter)
	}
	dropsUnknown := m.unknown == -1 && !m.byteFallback
	for i, r := range byteRunes {
		if b.symbols[i] = m.runes.get(r); b.symbols[i] < 0 && !dropsUnknown {
			return nil
		}
	}
	if m.ignoreMerges {
		b.whole = make(map[string]int32, len(m.vocab.ids))
		for token, id := range m.vocab.ids {
			if bytes, ok := fromByteAlphabet(token); ok {
				b.whole[string(bytes)] = id
			}
		}
	}
	return b
}

func (b *byteBPE) encode(ids []int32, text string, first bool) ([]int32, error) {
	if len(b.before) == 0 {
		return b.piece(ids, text), nil
	}
	if b.cutters != nil {
		return b.cut(ids, text, b.cutters), nil
	}
	pieces, err := splitAll(b.before, text, first)
	if err != nil {
		return ids, err
	}
	for _, p := range pieces {
		ids = b.piece(ids, p.text)
	}
	return ids, nil
}

// cut goes through all cutters with each stretch as it is found, so that no list of pieces is ever made.
func (b *byteBPE) cut(ids []int32, text string, cutters []*patternSplit) []int32 {
	if len(cutters) == 0 {
		return b.piece(ids, text)
	}
	s, rest := cutters[0], cutters[1:]
	if s.scan != nil {
		for i := 0; i < len(text); {
			end := s.scan.next(text, i)
			ids = b.cut(ids, text[i:end], rest)
			i = end
		}
		return ids
	}
	done := 0
	for i := 0; i < len(text); {
		if !s.begins[text[i]] {
			i++
			continue
		}
		end := s.match.match(text, i)
		if end == i {
			_, n := decode(text, i)
			i += n
			continue
		}
		if done < i {
			ids = b.cut(ids, text[done:i], rest)
		}
		ids = b.cut(ids, text[i:end], rest)
		i, done = end, end
	}
	if done < len(text) {
		ids = b.cut(ids, text[done:], rest)
	}
	return ids
}

func (b *byteBPE) piece(ids []int32, text string) []int32 {
	if text == "" {
		return ids
	}
	if b.prefix && text[0] != ' ' {
		text = " " + text
	}
	if b.scan == nil {
		return b.word(ids, text)
	}
	for i := 0; i < len(text); {
		end := b.scan.next(text, i)
		ids = b.word(ids, text[i:end])
		i = end
	}
	return ids
}

func (b *byteBPE) word(ids []int32, word string) []int32 {
	var slot uint64
	if len(word) <= longestCached {
		var known []int32
		if known, slot = b.cache.get(word); known != nil {
			return append(ids, known...)
		}
	}
	start := len(ids)
	ids = b.merged(ids, word)
	if len(word) <= longestCached {
		b.cache.put(slot, word, ids[start:])
	}
	return ids
}

func (b *byteBPE) merged(ids []int32, word string) []int32 {
	if id, ok := b.whole[word]; ok {
		return append(ids, id)
	}
	w := workspaces.Get().(*workspace)
	defer workspaces.Put(w)
	w.begin()
	for i := 0; i < len(word); i++ {
		if id := b.symbols[word[i]]; id >= 0 {
			w.add(id)
		}
	}
	return w.mergeAll(ids, b.merges)
}

// spacedBPE is BPE over text that no splitter cuts, with "▁" for spaces. Where no merge joins anything to a "▁" behind it, the text
// may be cut before every "▁" that does not follow another: the merges on either side never meet, so the order among them does not
// matter. Then words can be remembered.
type spacedBPE struct {
	meta  *metaspace // nil: the normaliser has already put the "▁"
	words pipeline
}

// newSpacedBPE returns the short way for m behind splitters, or nil where it does not apply.
func newSpacedBPE(splitters []splitter, m *bpe) *spacedBPE {
	s := &spacedBPE{words: pipeline{model: m, cache: newWordCache()}}
	switch len(splitters) {
	case 0:
	case 1:
		meta, ok := splitters[0].(metaspace)
		if !ok || meta.cut || meta.symbol != metaSymbol {
			return nil
		}
		s.meta = &meta
	default:
		return nil
	}
	symbol, _ := utf8.DecodeRuneInString(metaSymbol)
	if m.prefix != "" || m.suffix != "" || m.ignoreMerges || m.runes.get(symbol) < 0 || !m.separable() {
		return nil
	}
	return s
}

// separable reports that no merge has "▁" at the front of its right side and something else at the end of its left.
func (m *bpe) separable() bool {
	for i, key := range m.merges.keys {
		if key == 0 {
			continue
		}
		joined, _ := m.vocab.token(m.merges.values[i].id)
		if strings.Contains(strings.TrimLeft(joined, metaSymbol), metaSymbol) {
			return false
		}
	}
	return true
}

func (s *spacedBPE) encode(ids []int32, text string, first bool) ([]int32, error) {
	if s.meta != nil {
		text = s.meta.replace(text, first)
	}
	var err error
	for text != "" {
		end := nextMeta(text)
		if ids, err = s.words.word(ids, text[:end]); err != nil {
			return ids, err
		}
		text = text[end:]
	}
	return ids, nil
}

// nextMeta returns where the first "▁" stands that does not follow another and is not at the front.
func nextMeta(text string) int {
	i := 0
	for strings.HasPrefix(text[i:], metaSymbol) {
		i += len(metaSymbol)
	}
	if at := strings.Index(text[i:], metaSymbol); at >= 0 {
		return i + at
	}
	return len(text)
}
