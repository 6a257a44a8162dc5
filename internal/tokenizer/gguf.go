// The vocabulary inside a GGUF file: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md, keys tokenizer.ggml.*.
package tokenizer

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"avssnative/internal/gguf"
)

// Vocabulary is what a GGUF file says of its tokenizer. A nil pointer stands for a key that is absent.
type Vocabulary struct {
	Name   string    // of the file, for errors
	Model  string    // "llama" (BPE by scores), "gpt2" (byte-level BPE) or "bert" (WordPiece)
	Pre    string    // for "gpt2": how text is split into words
	Tokens []string  // by id
	Scores []float32 // by id, for "llama"
	Types  []int32   // by id: 1 normal, 2 unknown, 3 control, 4 user-defined, 5 unused, 6 byte; empty: all normal
	Merges []string  // "left right", by rank, for "gpt2"

	BOS, EOS, Unknown *int64
	AddBOS, AddEOS    *bool // nil: the model's custom
	AddSpacePrefix    *bool // nil: yes for "llama", no for "gpt2"
}

// FromGGUF builds a tokenizer from a GGUF file's vocabulary. Control and user-defined tokens are found in the text before anything
// else.
func FromGGUF(v Vocabulary) (*Tokenizer, error) {
	t, err := fromGGUF(v)
	if err != nil {
		return nil, fmt.Errorf("tokenizer: %s: %w", v.Name, err)
	}
	return t, nil
}

func fromGGUF(v Vocabulary) (*Tokenizer, error) {
	if len(v.Tokens) == 0 || len(v.Tokens) > mostPieces {
		return nil, fmt.Errorf("tokenizer.ggml.tokens: %d tokens, want 1 to %d", len(v.Tokens), mostPieces)
	}
	for id, token := range v.Tokens {
		if len(token) > longestToken {
			return nil, fmt.Errorf("tokenizer.ggml.tokens: token %d is %d bytes long, want at most %d", id, len(token), longestToken)
		}
	}
	if v.Types == nil {
		v.Types = slices.Repeat([]int32{pieceNormal}, len(v.Tokens))
	}
	if len(v.Types) != len(v.Tokens) {
		return nil, fmt.Errorf("tokenizer.ggml.token_type: %d types, want %d", len(v.Types), len(v.Tokens))
	}
	t := &Tokenizer{name: v.Name, bos: -1, eos: -1}
	var err error
	switch v.Model {
	case "llama":
		err = t.scoredVocabulary(v)
	case "gpt2":
		err = t.byteVocabulary(v)
	case "bert":
		err = t.wordPieceVocabulary(v)
	default:
		err = fmt.Errorf("tokenizer.ggml.model: unknown %.40q, known are bert, gpt2, llama", v.Model)
	}
	if err != nil {
		return nil, err
	}
	if t.added, err = newAddedTokens(markedTokens(t.vocab.tokens, v.Types, pieceControl, pieceUnknown, pieceUserDefined), t.vocab, t.vocab.size(), nil); err != nil {
		return nil, err
	}
	return t, t.surround(v)
}

// surround sets the tokens around a text.
func (t *Tokenizer) surround(v Vocabulary) error {
	for _, token := range []struct {
		key string
		id  *int64
		to  *int32
	}{{"bos", v.BOS, &t.bos}, {"eos", v.EOS, &t.eos}} {
		if token.id == nil {
			continue
		}
		if *token.id < 0 || *token.id >= int64(len(v.Tokens)) {
			return fmt.Errorf("tokenizer.ggml.%s_token_id: %d, want 0 to %d", token.key, *token.id, len(v.Tokens)-1)
		}
		*token.to = int32(*token.id)
	}
	addBOS := v.Model != "gpt2" || gpt2Pre[v.Pre].bos
	if v.AddBOS != nil {
		addBOS = *v.AddBOS
	}
	addEOS := v.Model == "bert"
	if v.AddEOS != nil {
		addEOS = *v.AddEOS
	}
	if addBOS && t.bos >= 0 {
		t.post = append(t.post, postPiece{ids: []int32{t.bos}})
	} else if isTrue(v.AddBOS) {
		return errors.New("tokenizer.ggml.add_bos_token without tokenizer.ggml.bos_token_id")
	}
	t.post = append(t.post, postPiece{text: true})
	if addEOS && t.eos >= 0 {
		t.post = append(t.post, postPiece{ids: []int32{t.eos}})
	} else if isTrue(v.AddEOS) {
		return errors.New("tokenizer.ggml.add_eos_token without tokenizer.ggml.eos_token_id")
	}
	return nil
}

func (t *Tokenizer) scoredVocabulary(v Vocabulary) error {
	if len(v.Scores) != len(v.Tokens) {
		return fmt.Errorf("tokenizer.ggml.scores: %d scores, want %d", len(v.Scores), len(v.Tokens))
	}
	scores := make([]float64, len(v.Scores))
	var mergeable []int32
	byteFallback, unknown := false, int32(-1)
	for id, kind := range v.Types {
		scores[id] = float64(v.Scores[id])
		switch kind {
		case pieceNormal, pieceUserDefined:
			mergeable = append(mergeable, int32(id))
		case pieceByte:
			byteFallback = true
		case pieceUnknown:
			unknown = int32(id)
		}
	}
	if v.Unknown != nil && *v.Unknown >= 0 && *v.Unknown < int64(len(v.Tokens)) {
		unknown = int32(*v.Unknown)
	}
	m, err := newScoredBPE(v.Tokens, scores, mergeable, unknown, byteFallback)
	if err != nil {
		return fmt.Errorf("tokenizer.ggml.tokens: %w", err)
	}
	spaces := spaceNormalizer{prefix: v.AddSpacePrefix == nil || *v.AddSpacePrefix, escape: true}
	t.vocab, t.normalize, t.words, t.decoders = newVocabularyList(v.Tokens), spaces, m.spaced(v.Tokens, mergeable), spaceDecoders(spaces.prefix)
	return nil
}

func (t *Tokenizer) byteVocabulary(v Vocabulary) error {
	pre, ok := gpt2Pre[v.Pre]
	if !ok {
		if v.Pre == "" {
			return errors.New("tokenizer.ggml.pre is absent: how text is split into words is not known; known are " + knownPre())
		}
		return fmt.Errorf("tokenizer.ggml.pre: unknown %.40q, known are %s", v.Pre, knownPre())
	}
	splitters, err := pre.splitters(isTrue(v.AddSpacePrefix))
	if err != nil {
		return err
	}
	t.vocab = newVocabularyList(v.Tokens)
	pairs := make([][2]string, len(v.Merges))
	for i, line := range v.Merges {
		at := -1 // a token may begin with the separator
		if line != "" {
			at = strings.IndexByte(line[1:], ' ')
		}
		if at < 0 {
			return fmt.Errorf("tokenizer.ggml.merges: %d: %.80q is not two tokens with a space between", i, line)
		}
		pairs[i] = [2]string{line[:at+1], line[at+2:]}
	}
	m := &bpe{vocab: t.vocab, merges: newMergeTable(len(pairs)), unknown: -1, ignoreMerges: pre.ignoreMerges, runes: newRuneTokens(t.vocab)}
	if err := m.addMerges(pairs); err != nil {
		return fmt.Errorf("tokenizer.ggml.merges: %w", err)
	}
	if pre.composed {
		t.normalize = normalForms["NFC"]
	}
	t.words, t.decoders = newWordEncoder(splitters, m), []decoder{decodeByteLevel}
	return nil
}

// wordPieceVocabulary undoes the spelling of GGUF, which marks the beginnings of words instead of their continuations.
func (t *Tokenizer) wordPieceVocabulary(v Vocabulary) error {
	tokens := make([]string, len(v.Tokens))
	for id, token := range v.Tokens {
		if rest, ok := strings.CutPrefix(token, metaSymbol); ok {
			tokens[id] = rest
		} else if strings.HasPrefix(token, "[") && strings.HasSuffix(token, "]") {
			tokens[id] = token
		} else {
			tokens[id] = "##" + token
		}
	}
	t.vocab = newVocabularyList(tokens)
	unknown := int32(-1)
	if v.Unknown != nil && *v.Unknown >= 0 && *v.Unknown < int64(len(tokens)) {
		unknown = int32(*v.Unknown)
	}
	t.normalize = bertNormalizer{CleanText: true, ChineseChars: true, Lower: true}
	splitters := []splitter{charSplit{isSpace, removed}, charSplit{isPunctuation, isolated}}
	t.words = newWordEncoder(splitters, newWordPiece(t.vocab, "##", unknown, 100))
	t.decoders = []decoder{func(tokens []string) []string { return decodeWordPiece(tokens, "##", true) }}
	return nil
}

func openGGUF(path string) (*Tokenizer, error) {
	file, err := gguf.Open(path)
	if err != nil {
		return nil, fmt.Errorf("tokenizer: %w", err)
	}
	defer file.Close()
	v, err := readVocabulary(file)
	if err != nil {
		return nil, fmt.Errorf("tokenizer: %s: %w", path, err)
	}
	v.Name = path
	return FromGGUF(v)
}

// metaReader reads keys of a file and keeps the first error.
type metaReader struct {
	file *gguf.File
	err  error
}

func read[T any](m *metaReader, key string) (value T, present bool) {
	if m.err == nil {
		value, present, m.err = gguf.Get[T](m.file, "tokenizer.ggml."+key)
	}
	return value, present && m.err == nil
}

func (m *metaReader) flag(key string) *bool {
	if value, ok := read[bool](m, key); ok {
		return &value
	}
	return nil
}

// id reads the first of keys that is present.
func (m *metaReader) id(keys ...string) *int64 {
	for _, key := range keys {
		if m.err != nil {
			return nil
		}
		value, present, err := m.file.Integer("tokenizer.ggml." + key)
		if m.err = err; present && err == nil {
			if value == math.MaxUint32 { // how some writers spell "none"
				return nil
			}
			return &value
		}
	}
	return nil
}

func readVocabulary(file *gguf.File) (Vocabulary, error) {
	m := &metaReader{file: file}
	var v Vocabulary
	var ok bool
	if v.Model, ok = read[string](m, "model"); !ok && m.err == nil {
		return v, errors.New("tokenizer.ggml.model is absent: the file holds no vocabulary")
	}
	v.Pre, _ = read[string](m, "pre")
	v.Tokens, _ = read[[]string](m, "tokens")
	v.Scores, _ = read[[]float32](m, "scores")
	v.Types, _ = read[[]int32](m, "token_type")
	v.Merges, _ = read[[]string](m, "merges")
	v.BOS, v.EOS, v.Unknown = m.id("bos_token_id", "cls_token_id"), m.id("eos_token_id", "seperator_token_id"), m.id("unknown_token_id")
	if v.Model == "bert" {
		v.BOS, v.EOS = m.id("cls_token_id", "bos_token_id"), m.id("seperator_token_id", "eos_token_id")
	}
	v.AddBOS, v.AddEOS, v.AddSpacePrefix = m.flag("add_bos_token"), m.flag("add_eos_token"), m.flag("add_space_prefix")
	return v, m.err
}
