// Word encoders: the way from a stretch of normalised text to ids. pipeline is the plain one, which any tokenizer can take: every
// splitter over all pieces, then the model over every word. byteBPE and spacedBPE are shorter ways for the two common kinds of BPE;
// they give the same ids and are compared with pipeline in the tests.

package tokenizer

// A wordEncoder appends the ids of a normalised piece of text that holds no added token.
type wordEncoder interface {
	encode(c *call, p piece)
}

// A model appends the ids of a word.
type model interface {
	encode(c *call, word piece)
}

type pipeline struct {
	splitters []splitter
	model     model
	cache     *wordCache // nil: no word is remembered
}

func (p *pipeline) encode(c *call, text piece) { p.split(c, text, p.splitters) }

// split goes through all splitters with each piece as it is found, so that no list of pieces is ever made.
func (p *pipeline) split(c *call, text piece, splitters []splitter) {
	switch {
	case text.text == "" || c.err != nil:
	case len(splitters) == 0:
		p.word(c, text)
	default:
		splitters[0].split(c, text, func(part piece) { p.split(c, part, splitters[1:]) })
	}
}

func (p *pipeline) word(c *call, word piece) {
	if c.beginWord(); c.err != nil {
		return
	}
	if p.cache == nil || c.track || len(word.text) > longestCached {
		p.model.encode(c, word)
		return
	}
	known, slot := p.cache.get(word.text)
	if known != nil {
		c.ids = append(c.ids, known...)
		return
	}
	start := len(c.ids)
	if p.model.encode(c, word); c.err == nil {
		p.cache.put(slot, word.text, c.ids[start:])
	}
}
