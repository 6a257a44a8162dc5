// tokenizer.model: a SentencePiece model, the message ModelProto of
// https://github.com/google/sentencepiece/blob/master/src/sentencepiece_model.proto.

package tokenizer

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"unicode/utf8"

	"google.golang.org/protobuf/encoding/protowire"
)

// The kinds of pieces, numbered as in the file; GGUF uses the same numbers.
const (
	pieceNormal = iota + 1
	pieceUnknown
	pieceControl
	pieceUserDefined
	pieceUnused
	pieceByte
)

const mostPieces = 1 << 22

type sentencePiece struct {
	tokens       []string
	scores       []float64
	types        []int32
	kind         uint64 // 1 Unigram, 2 BPE
	byteFallback bool
	bos, eos     string
	padding      string
	normalizer   spaceNormalizer
	charsmap     []byte
}

// readSentencePiece reads the content of a tokenizer.model. name stands for the file in errors.
//
// Control pieces are found in the text before anything else, and what lies between them is encoded by itself, as Hugging Face's
// reading of such a file does; the sentencepiece library does not look for them. The file does not say whether a text gets a first
// token; with BPE it does (Llama's convention), with Unigram it gets neither a first nor a last one. tokenizer_config.json may say otherwise.
func readSentencePiece(data []byte, name string) (*Tokenizer, error) {
	t, err := parseSentencePiece(data, name)
	if err != nil {
		return nil, located(name, err)
	}
	return t, nil
}

func parseSentencePiece(data []byte, name string) (*Tokenizer, error) {
	p := &sentencePiece{kind: 1, bos: "<s>", eos: "</s>", padding: "<pad>", normalizer: spaceNormalizer{prefix: true, collapse: true, escape: true}}
	err := eachField(data, func(number protowire.Number, value []byte, _ uint64) error {
		switch number {
		case 1:
			return p.piece(value)
		case 2:
			return p.trainer(value)
		case 3:
			return p.spaces(value)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	if len(p.tokens) == 0 {
		return nil, errors.New("is no SentencePiece model: it holds no pieces")
	}
	if len(p.charsmap) > 0 {
		if p.normalizer.charsmap, err = newCharsmap(p.charsmap); err != nil {
			return nil, err
		}
	}
	unknown := int32(-1)
	for id, kind := range p.types {
		if kind == pieceUnknown {
			if unknown >= 0 {
				return nil, fmt.Errorf("pieces %d and %d are both the unknown piece", unknown, id)
			}
			unknown = int32(id)
		}
	}
	if unknown < 0 {
		return nil, errors.New("has no unknown piece")
	}
	vocab := newVocabularyList(p.tokens)
	var user []pattern
	for id, kind := range p.types {
		if kind == pieceUserDefined {
			user = append(user, pattern{text: p.tokens[id], id: int32(id)})
		}
	}
	p.normalizer.user = newTokenFinder(user)
	rules := p.normalizer.rules()
	t := &Tokenizer{name: name, vocab: vocab, normalize: rules, decoders: spaceDecoders(p.normalizer.prefix),
		unknown: unknown, padding: p.control(vocab, p.padding), post: []postPiece{{text: true}}, bos: p.control(vocab, p.bos), eos: p.control(vocab,
			p.eos), silent: true}
	if t.added, err = newAddedTokens(markedTokens(p.tokens, p.types, pieceControl, pieceUnknown), vocab, vocab.size(), rules); err != nil {
		return nil, err
	}
	switch p.kind {
	case 1:
		t.plain = &pipeline{model: p.unigram(vocab, unknown)}
		t.words = t.plain
	case 2:
		m, mergeable, err := p.bpe(unknown)
		if err != nil {
			return nil, err
		}
		m.user = p.normalizer.user
		t.words, t.plain = m.spaced(p.tokens, mergeable), &pipeline{model: m}
		if t.bos >= 0 {
			t.post = []postPiece{{ids: []int32{t.bos}}, {text: true}}
		}
	default:
		return nil, unsupported("model_type %d, known are 1 (Unigram) and 2 (BPE)", p.kind)
	}
	return t, nil
}

// eachField visits the fields of a message; value is nil for a number, number 0 for bytes.
func eachField(data []byte, visit func(number protowire.Number, value []byte, scalar uint64) error) error {
	for at := 0; at < len(data); {
		number, kind, n := protowire.ConsumeTag(data[at:])
		if n < 0 {
			return fmt.Errorf("is no SentencePiece model: byte %d: %w", at, protowire.ParseError(n))
		}
		at += n
		var value []byte
		var scalar uint64
		switch kind {
		case protowire.BytesType:
			value, n = protowire.ConsumeBytes(data[at:])
		case protowire.VarintType:
			scalar, n = protowire.ConsumeVarint(data[at:])
		case protowire.Fixed32Type:
			var bits uint32
			bits, n = protowire.ConsumeFixed32(data[at:])
			scalar = uint64(bits)
		default:
			n = protowire.ConsumeFieldValue(number, kind, data[at:])
		}
		if n < 0 {
			return fmt.Errorf("is no whole SentencePiece model: field %d at byte %d: %w", number, at, protowire.ParseError(n))
		}
		at += n
		if err := visit(number, value, scalar); err != nil {
			return err
		}
	}
	return nil
}

func (p *sentencePiece) piece(data []byte) error {
	text, score, kind := "", float32(0), uint64(pieceNormal)
	err := eachField(data, func(number protowire.Number, value []byte, scalar uint64) error {
		switch number {
		case 1:
			text = string(value)
		case 2:
			score = math.Float32frombits(uint32(scalar))
		case 3:
			kind = scalar
		}
		return nil
	})
	id := len(p.tokens)
	switch {
	case err != nil:
		return fmt.Errorf("piece %d: %w", id, err)
	case id >= mostPieces:
		return fmt.Errorf("more than %d pieces", mostPieces)
	case len(text) > longestToken:
		return fmt.Errorf("piece %d: %d bytes long, want at most %d", id, len(text), longestToken)
	case text == "" || !utf8.ValidString(text):
		return fmt.Errorf("piece %d: %.80q is empty or not UTF-8", id, text)
	case math.IsNaN(float64(score)) || math.IsInf(float64(score), 0):
		return fmt.Errorf("piece %d (%.80q): score %g, want a finite number", id, text, score)
	case kind < pieceNormal || kind > pieceByte:
		return fmt.Errorf("piece %d (%.80q): type %d, want 1 to 6", id, text, kind)
	}
	p.tokens, p.scores, p.types = append(p.tokens, text), append(p.scores, float64(score)), append(p.types, int32(kind))
	return nil
}

func (p *sentencePiece) trainer(data []byte) error {
	return eachField(data, func(number protowire.Number, value []byte, scalar uint64) error {
		switch number {
		case 3:
			p.kind = scalar
		case 24:
			p.normalizer.suffix = scalar != 0
		case 35:
			p.byteFallback = scalar != 0
		case 46:
			p.bos = string(value)
		case 47:
			p.eos = string(value)
		case 48:
			p.padding = string(value)
		}
		return nil
	})
}

func (p *sentencePiece) spaces(data []byte) error {
	return eachField(data, func(number protowire.Number, value []byte, scalar uint64) error {
		switch number {
		case 2:
			p.charsmap = value
		case 3:
			p.normalizer.prefix = scalar != 0
		case 4:
			p.normalizer.collapse = scalar != 0
		case 5:
			p.normalizer.escape = scalar != 0
		}
		return nil
	})
}

// control returns the id of a control piece, or -1.
func (p *sentencePiece) control(vocab *vocabulary, text string) int32 {
	if id, ok := vocab.ids[text]; ok && p.types[id] == pieceControl {
		return id
	}
	return -1
}

// markedTokens are the pieces of some kinds, to be found in the raw text.
func markedTokens(tokens []string, types []int32, kinds ...int32) []addedToken {
	var out []addedToken
	for id, kind := range types {
		if slices.Contains(kinds, kind) {
			out = append(out, addedToken{ID: int64(id), Content: tokens[id], Special: kind != pieceUserDefined})
		}
	}
	return out
}

func (p *sentencePiece) bpe(unknown int32) (*scoredBPE, []int32, error) {
	var mergeable []int32
	for id, kind := range p.types {
		switch kind {
		case pieceNormal, pieceUserDefined:
			mergeable = append(mergeable, int32(id))
		case pieceUnused:
			return nil, nil, unsupported("piece %d (%.80q) is marked unused, which is not supported in a BPE model", id, p.tokens[id])
		}
	}
	m, err := newScoredBPE(p.tokens, p.scores, mergeable, unknown, p.byteFallback)
	return m, mergeable, err
}

func (p *sentencePiece) unigram(vocab *vocabulary, unknown int32) *unigram {
	m := &unigram{ids: vocab.ids, trie: newByteTrie(), score: p.scores, lowest: math.Inf(1), unknown: unknown, bytes: byteTokens(vocab),
		byteFallback: p.byteFallback, single: true}
	highest := math.Inf(-1)
	for id, kind := range p.types {
		if kind == pieceNormal {
			m.lowest, highest = min(m.lowest, p.scores[id]), max(highest, p.scores[id])
		}
	}
	for id, kind := range p.types {
		switch kind {
		case pieceUserDefined: // always preferred to what it could be cut into
			m.score[id] = float64(float32(len(p.tokens[id]))*float32(highest)) - 0.1
			fallthrough
		case pieceNormal:
			m.trie.insert(p.tokens[id], int32(id))
		}
	}
	return m
}
