// tokenizer.json: the file of the tokenizers library, https://huggingface.co/docs/tokenizers.

package tokenizer

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strings"
)

// readJSON reads the content of a tokenizer.json. name stands for the file in errors.
func readJSON(data []byte, name string) (*Tokenizer, error) {
	t, err := parseJSON(data, name)
	if err != nil {
		return nil, located(name, err)
	}
	return t, nil
}

func parseJSON(data []byte, name string) (*Tokenizer, error) {
	var file struct {
		Version       string
		AddedTokens   []addedToken `json:"added_tokens"`
		Normalizer    json.RawMessage
		PreTokenizer  json.RawMessage `json:"pre_tokenizer"`
		PostProcessor json.RawMessage `json:"post_processor"`
		Decoder       json.RawMessage
		Model         json.RawMessage
		ChatTemplate  json.RawMessage `json:"chat_template"`
	}
	if err := unmarshal(data, &file); err != nil {
		var syntax *json.SyntaxError
		if errors.As(err, &syntax) {
			return nil, fmt.Errorf("is not whole JSON: byte %d of %d: %w", syntax.Offset, len(data), err)
		}
		return nil, err
	}
	if absent(file.Model) {
		if !absent(file.ChatTemplate) {
			return nil, errors.New("holds a chat template and no model; want a tokenizer.json, this looks like a tokenizer_config.json")
		}
		return nil, errors.New("model is missing")
	}
	if file.Version != "" && file.Version != "1.0" {
		return nil, unsupported("version %.40q, want 1.0", file.Version)
	}
	normalize, err := parseNormalizer(file.Normalizer, 0)
	if err != nil {
		return nil, err
	}
	splitters, err := parseSplitters(file.PreTokenizer, 0)
	if err != nil {
		return nil, err
	}
	decoders, err := parseDecoders(file.Decoder, 0)
	if err != nil {
		return nil, err
	}
	post, err := parsePost(file.PostProcessor, []postPiece{{text: true}}, 0)
	if err != nil {
		return nil, err
	}
	m, vocab, err := parseModel(file.Model)
	if err != nil {
		return nil, err
	}
	added, err := newAddedTokens(file.AddedTokens, vocab, vocab.size(), normalize)
	if err != nil {
		return nil, err
	}
	t := &Tokenizer{name: name, vocab: vocab, added: added, normalize: normalize, post: post, decoders: decoders, unknown: -1, padding: -1}
	t.words, t.plain = newWordEncoder(splitters, m)
	if id := unknownOf(m); id >= 0 {
		t.unknown = id
	}
	if err := t.checkPost(); err != nil {
		return nil, err
	}
	t.bos, t.eos = t.boundary()
	t.silent = t.bos < 0 && t.eos < 0
	return t, nil
}

// newWordEncoder returns the shortest way that applies, and the plain one.
func newWordEncoder(splitters []splitter, m model) (wordEncoder, *pipeline) {
	plain := &pipeline{splitters: splitters, model: m}
	if m, ok := m.(*bpe); ok {
		if fast := newByteBPE(splitters, m); fast != nil {
			return fast, plain
		}
		if fast := newSpacedBPE(splitters, m); fast != nil {
			return fast, plain
		}
	}
	if len(splitters) > 0 {
		plain.cache = newWordCache()
	}
	return plain, plain
}

// unknownOf is the id that a model gives to what it does not know, below 0 where it has none.
func unknownOf(m model) int32 {
	switch m := m.(type) {
	case *bpe:
		return m.unknown
	case *unigram:
		return m.unknown
	case *wordPiece:
		return m.unknown
	case *wordLevel:
		return m.unknown
	case *scoredBPE:
		return m.unknown
	}
	return -1
}

type modelJSON struct {
	Type         string
	Vocab        json.RawMessage
	Merges       json.RawMessage
	Dropout      *float64
	UnkToken     *string `json:"unk_token"`
	UnkID        *int64  `json:"unk_id"`
	Prefix       *string `json:"continuing_subword_prefix"`
	Suffix       *string `json:"end_of_word_suffix"`
	FuseUnk      *bool   `json:"fuse_unk"`
	ByteFallback *bool   `json:"byte_fallback"`
	IgnoreMerges *bool   `json:"ignore_merges"`
	MostPerWord  *int64  `json:"max_input_chars_per_word"`
}

func parseModel(raw json.RawMessage) (model, *vocabulary, error) {
	var m modelJSON
	if err := unmarshal(raw, &m); err != nil {
		return nil, nil, fmt.Errorf("model: %w", err)
	}
	if absent(m.Vocab) {
		return nil, nil, errors.New("model: vocab is missing")
	}
	switch m.kind() {
	case "Unigram":
		return m.unigram()
	case "BPE", "WordPiece", "WordLevel":
	default:
		return nil, nil, unsupported("model: unknown type %.80q, known are BPE, Unigram, WordLevel, WordPiece", m.Type)
	}
	var ids map[string]int64
	if err := unmarshal(m.Vocab, &ids); err != nil {
		return nil, nil, fmt.Errorf("model: vocab: %w", err)
	}
	vocab, err := newVocabulary(ids)
	if err != nil {
		return nil, nil, fmt.Errorf("model: %w", err)
	}
	unknown := int32(-1)
	if m.UnkToken != nil {
		if id, ok := vocab.ids[*m.UnkToken]; ok {
			unknown = id
		} else if m.kind() == "BPE" {
			unknown = unknownMissing
		}
	}
	switch m.kind() {
	case "WordLevel":
		return &wordLevel{vocab.ids, unknown}, vocab, nil
	case "WordPiece":
		prefix, most := "##", int64(100)
		if m.Prefix != nil {
			prefix = *m.Prefix
		}
		if m.MostPerWord != nil {
			most = *m.MostPerWord
		}
		if most < 0 || most > math.MaxInt32 {
			return nil, nil, fmt.Errorf("model: max_input_chars_per_word is %d, want 0 to %d", most, math.MaxInt32)
		}
		return newWordPiece(vocab, prefix, unknown, int(most)), vocab, nil
	}
	b, err := m.bpe(vocab, unknown)
	if err != nil {
		return nil, nil, fmt.Errorf("model: %w", err)
	}
	return b, vocab, nil
}

// kind is the type, which files of 2019 leave out.
func (m *modelJSON) kind() string {
	switch {
	case m.Type != "":
		return m.Type
	case !absent(m.Merges):
		return "BPE"
	case bytes.HasPrefix(m.Vocab, []byte("[")):
		return "Unigram"
	case m.Prefix != nil:
		return "WordPiece"
	}
	return "WordLevel"
}

func isTrue(b *bool) bool { return b != nil && *b }

func text(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

func (m *modelJSON) bpe(vocab *vocabulary, unknown int32) (*bpe, error) {
	if m.Dropout != nil && *m.Dropout != 0 {
		return nil, unsupported("dropout is %g, want none: ids would be random", *m.Dropout)
	}
	pairs, err := parseMerges(m.Merges)
	if err != nil {
		return nil, err
	}
	b := &bpe{vocab: vocab, merges: newMergeTable(len(pairs)), prefix: text(m.Prefix), suffix: text(m.Suffix), unknown: unknown,
		fuseUnknown: isTrue(m.FuseUnk), byteFallback: isTrue(m.ByteFallback), ignoreMerges: isTrue(m.IgnoreMerges),
		bytes: byteTokens(vocab), runes: newRuneTokens(vocab)}
	return b, b.addMerges(pairs)
}

// addMerges fills the table; pairs are in order of rank.
func (m *bpe) addMerges(pairs [][2]string) error {
	for rank, pair := range pairs {
		left, ok := m.vocab.ids[pair[0]]
		if !ok {
			return fmt.Errorf("merge %d: %.80q is not in the vocabulary", rank, pair[0])
		}
		right, ok := m.vocab.ids[pair[1]]
		if !ok {
			return fmt.Errorf("merge %d: %.80q is not in the vocabulary", rank, pair[1])
		}
		if len(pair[1]) < len(m.prefix) {
			return fmt.Errorf("merge %d: %.80q is shorter than the prefix %.80q", rank, pair[1], m.prefix)
		}
		joined, ok := m.vocab.ids[pair[0]+pair[1][len(m.prefix):]]
		if !ok {
			return fmt.Errorf("merge %d: %.80q is not in the vocabulary", rank, pair[0]+pair[1][len(m.prefix):])
		}
		m.merges.set(left, right, merge{int32(rank), joined})
	}
	return nil
}

// parseMerges reads both spellings of a merge: "a b" and ["a", "b"].
func parseMerges(raw json.RawMessage) ([][2]string, error) {
	if absent(raw) {
		return nil, errors.New("merges is missing")
	}
	var pairs [][]string
	if unmarshal(raw, &pairs) == nil {
		out := make([][2]string, len(pairs))
		for i, pair := range pairs {
			if len(pair) != 2 {
				return nil, fmt.Errorf("merge %d: %d tokens, want 2", i, len(pair))
			}
			out[i] = [2]string{pair[0], pair[1]}
		}
		return out, nil
	}
	var lines []string
	if err := unmarshal(raw, &lines); err != nil {
		return nil, fmt.Errorf("merges: %w", err)
	}
	out := make([][2]string, 0, len(lines))
	for i, line := range lines {
		if strings.HasPrefix(line, "#version") {
			continue
		}
		left, right, ok := strings.Cut(line, " ")
		if !ok || strings.Contains(right, " ") {
			return nil, fmt.Errorf("merge %d: %.80q is not two tokens with a space between", i, line)
		}
		out = append(out, [2]string{left, right})
	}
	return out, nil
}

func (m *modelJSON) unigram() (model, *vocabulary, error) {
	var entries [][]json.RawMessage
	if err := unmarshal(m.Vocab, &entries); err != nil {
		return nil, nil, fmt.Errorf("model: vocab: %w", err)
	}
	pieces := make([]scoredPiece, len(entries))
	for id, entry := range entries {
		if len(entry) != 2 {
			return nil, nil, fmt.Errorf("model: vocab: entry %d has %d elements, want a token and its score", id, len(entry))
		}
		err := unmarshal(entry[0], &pieces[id].text)
		if err == nil {
			err = unmarshal(entry[1], &pieces[id].score)
		}
		if err != nil {
			return nil, nil, fmt.Errorf("model: vocab: entry %d: %w", id, err)
		}
		if n := len(pieces[id].text); n > longestToken {
			return nil, nil, fmt.Errorf("model: vocab: entry %d is %d bytes long, want at most %d", id, n, longestToken)
		}
	}
	unknown := int32(-1)
	if m.UnkID != nil {
		if *m.UnkID < 0 || *m.UnkID >= int64(len(pieces)) {
			return nil, nil, fmt.Errorf("model: unk_id is %d, want 0 to %d", *m.UnkID, len(pieces)-1)
		}
		unknown = int32(*m.UnkID)
	}
	tokens := make([]string, len(pieces))
	for id := range pieces {
		tokens[id] = pieces[id].text
	}
	vocab := newVocabularyList(tokens)
	return newUnigram(pieces, vocab, unknown, isTrue(m.ByteFallback)), vocab, nil
}
