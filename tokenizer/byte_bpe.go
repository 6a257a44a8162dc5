// BPE over bytes, the short way for tokenizers that end in the byte alphabet. It gives the ids that pipeline gives.

package tokenizer

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

func (b *byteBPE) encode(c *call, text piece) {
	if b.cutters != nil || len(b.before) == 0 {
		b.cut(c, text.text, b.cutters)
		return
	}
	b.split(c, text, b.before)
}

// split is the way through splitters that do more than cut.
func (b *byteBPE) split(c *call, text piece, splitters []splitter) {
	switch {
	case text.text == "" || c.err != nil:
	case len(splitters) == 0:
		b.piece(c, text.text)
	default:
		splitters[0].split(c, text, func(part piece) { b.split(c, part, splitters[1:]) })
	}
}

// cut goes through all cutters with each stretch as it is found.
func (b *byteBPE) cut(c *call, text string, cutters []*patternSplit) {
	if len(cutters) == 0 {
		b.piece(c, text)
		return
	}
	s, rest := cutters[0], cutters[1:]
	if s.scan != nil {
		for i := 0; i < len(text) && c.err == nil; {
			end := s.scan.next(text, i)
			b.cut(c, text[i:end], rest)
			i = end
		}
		return
	}
	done := 0
	for i := 0; i < len(text); {
		if !s.begins[text[i]] {
			i++
			continue
		}
		end := s.match.match(text, i)
		if end == i {
			next := s.match.after(text, i)
			if c.ended(next - i) {
				return
			}
			i = next
			continue
		}
		if done < i {
			b.cut(c, text[done:i], rest)
		}
		if b.cut(c, text[i:end], rest); c.err != nil {
			return
		}
		i, done = end, end
	}
	if done < len(text) {
		b.cut(c, text[done:], rest)
	}
}

func (b *byteBPE) piece(c *call, text string) {
	if text == "" {
		return
	}
	if b.prefix && text[0] != ' ' {
		text = " " + text
	}
	if b.scan == nil {
		b.word(c, text)
		return
	}
	for i := 0; i < len(text); {
		end := b.scan.next(text, i)
		if b.word(c, text[i:end]); c.err != nil {
			return
		}
		i = end
	}
}

func (b *byteBPE) word(c *call, word string) {
	if c.beginWord(); c.err != nil {
		return
	}
	if len(word) > longestCached {
		b.merged(c, word)
		return
	}
	if c.ended(len(word)) {
		return
	}
	known, slot := b.cache.get(word)
	if known != nil {
		c.ids = append(c.ids, known...)
		return
	}
	start := len(c.ids)
	b.merged(c, word)
	b.cache.put(slot, word, c.ids[start:])
}

func (b *byteBPE) merged(c *call, word string) {
	if id, ok := b.whole[word]; ok {
		c.ids = append(c.ids, id)
		return
	}
	w := workspaces.Get().(*workspace)
	defer workspaces.Put(w)
	w.begin(len(word), false)
	for i := 0; i < len(word); i++ {
		if id := b.symbols[word[i]]; id >= 0 {
			w.add(id, i)
		}
	}
	if w.merge(c, b.merges); c.err != nil {
		return
	}
	c.take(w)
}
