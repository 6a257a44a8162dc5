// Package tokenizer turns text into token ids and back, exactly as the library a model was trained with does.
//
// It reads tokenizer.json (byte-level BPE, metaspace and legacy BPE, Unigram, WordPiece, WordLevel), SentencePiece's
// tokenizer.model and the vocabulary inside a GGUF file; all three feed the same parts. The order of work is the one the
// file format implies: added tokens are cut out of the raw text, what lies between them is normalised, added tokens marked
// "normalized" are cut out of that, the rest is split into words, the model turns words into ids, and the post-processor
// puts its own tokens around. A part this package does not know is an error that names it; nothing is skipped in silence.
// The truncation and padding a file may carry are not applied: whoever scores text decides on lengths.
package tokenizer

// Tokenizer maps text to ids and ids to text. It is safe for concurrent use.
type Tokenizer struct {
	name      string
	vocab     *vocabulary
	added     *addedTokens
	normalize normalizer  // nil: text is taken as it is
	words     wordEncoder // the shortest way there is
	plain     *pipeline   // the way that knows where each token lies
	post      []postPiece
	decoders  []decoder // nil: tokens are joined by spaces
	bos, eos  int32     // -1: the file names none
	unknown   int32     // likewise
	padding   int32     // likewise
	silent    bool      // the file does not say which tokens go around a text; tokenizer_config.json may
	templates map[string]string
	notes     []string
}

// Size returns the number of ids: one more than the highest, holes included.
func (t *Tokenizer) Size() int { return len(t.vocab.tokens) }

// ID returns the id of a token as the vocabulary spells it, and whether there is one.
func (t *Tokenizer) ID(token string) (int32, bool) { return t.vocab.id(token) }

// Token returns the token of id as the vocabulary spells it, and whether there is one.
func (t *Tokenizer) Token(id int32) (string, bool) { return t.vocab.token(id) }

// IsSpecial reports whether id is a token that stands for no text, and that Decode can skip.
func (t *Tokenizer) IsSpecial(id int32) bool {
	token, ok := t.surface(id)
	return ok && t.added.special[token]
}

// BOS returns the id of the token that begins a text, and whether there is one.
func (t *Tokenizer) BOS() (int32, bool) { return t.bos, t.bos >= 0 }

// EOS returns the id of the token that ends a text, and whether there is one.
func (t *Tokenizer) EOS() (int32, bool) { return t.eos, t.eos >= 0 }

// Unknown returns the id of the token for what the vocabulary cannot spell, and whether there is one.
func (t *Tokenizer) Unknown() (int32, bool) { return t.unknown, t.unknown >= 0 }

// Padding returns the id of the token that fills sequences up, and whether there is one.
func (t *Tokenizer) Padding() (int32, bool) { return t.padding, t.padding >= 0 }

// AddsBOS reports whether Encode with special set begins with the id that BOS returns.
func (t *Tokenizer) AddsBOS() bool {
	return t.bos >= 0 && len(t.post) > 0 && !t.post[0].text && len(t.post[0].ids) > 0 && t.post[0].ids[0] == t.bos
}

// AddsEOS reports whether Encode with special set ends with the id that EOS returns.
func (t *Tokenizer) AddsEOS() bool {
	if t.eos < 0 || len(t.post) == 0 {
		return false
	}
	last := t.post[len(t.post)-1]
	return !last.text && len(last.ids) > 0 && last.ids[len(last.ids)-1] == t.eos
}

// Notes returns what a user should know about the files: where they leave open how text is encoded, and what was assumed.
func (t *Tokenizer) Notes() []string { return append([]string(nil), t.notes...) }
