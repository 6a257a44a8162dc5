// The vocabulary inside a GGUF file: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md, keys tokenizer.ggml.*.

package tokenizer

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// ggufVocabulary is what a GGUF file says of its tokenizer. A nil pointer stands for a key that is absent.
type ggufVocabulary struct {
	Name   string    // of the file, for errors
	Model  string    // "llama" (BPE by scores), "gpt2" (byte-level BPE) or "bert" (WordPiece)
	Pre    string    // for "gpt2": how text is split into words
	Tokens []string  // by id
	Scores []float32 // by id, for "llama"
	Types  []int32   // by id: 1 normal, 2 unknown, 3 control, 4 user-defined, 5 unused, 6 byte; empty: all normal
	Merges []string  // "left right", by rank, for "gpt2"

	BOS, EOS, Unknown, Padding *int64
	Template                   string            // the default chat template; "": none
	Templates                  map[string]string // others, by name
	AddBOS, AddEOS             *bool             // nil: the model's custom
	AddSpacePrefix             *bool             // nil: yes for "llama", no for "gpt2"
}

// readGGUF builds a tokenizer from a GGUF file's vocabulary. Control and user-defined tokens are found in the text before anything
// else.
func readGGUF(v ggufVocabulary) (*Tokenizer, error) {
	t, err := fromGGUF(v)
	if err != nil {
		return nil, located(v.Name, err)
	}
	return t, nil
}

func fromGGUF(v ggufVocabulary) (*Tokenizer, error) {
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
	t := &Tokenizer{name: v.Name, bos: -1, eos: -1, unknown: -1, padding: -1}
	var err error
	switch v.Model {
	case "llama":
		err = t.scoredVocabulary(v)
	case "gpt2":
		err = t.byteVocabulary(v)
	case "bert":
		err = t.wordPieceVocabulary(v)
	default:
		err = unsupported("tokenizer.ggml.model: unknown %.40q, known are bert, gpt2, llama", v.Model)
	}
	if err != nil {
		return nil, err
	}
	marked := markedTokens(t.vocab.tokens, v.Types, pieceControl, pieceUnknown, pieceUserDefined)
	if t.added, err = newAddedTokens(marked, t.vocab, t.vocab.size(), nil); err != nil {
		return nil, err
	}
	if id := unknownOf(t.plain.model); id >= 0 {
		t.unknown = id
	}
	if v.Template != "" {
		t.setTemplate(defaultTemplate, v.Template)
	}
	for name, text := range v.Templates {
		t.setTemplate(name, text)
	}
	return t, t.surround(v)
}

// surround sets the tokens around a text.
func (t *Tokenizer) surround(v ggufVocabulary) error {
	for _, token := range []struct {
		key string
		id  *int64
		to  *int32
	}{{"bos", v.BOS, &t.bos}, {"eos", v.EOS, &t.eos}, {"unknown", v.Unknown, &t.unknown}, {"padding", v.Padding, &t.padding}} {
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

func (t *Tokenizer) scoredVocabulary(v ggufVocabulary) error {
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
	t.vocab, t.normalize, t.decoders = newVocabularyList(v.Tokens), spaces.rules(), spaceDecoders(spaces.prefix)
	t.words, t.plain = m.spaced(v.Tokens, mergeable), &pipeline{model: m}
	return nil
}

func (t *Tokenizer) byteVocabulary(v ggufVocabulary) error {
	pre, ok := gpt2Pre[v.Pre]
	if !ok {
		return unsupported("tokenizer.ggml.pre: unknown %.40q, known are %s", v.Pre, knownPre())
	}
	if v.Pre == "" || v.Pre == preDefault {
		t.notes = append(t.notes, "tokenizer.ggml.pre does not say how text is split into words: it is split as llama.cpp does then, "+
			"which may not be how the model was trained")
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
		t.normalize = normalizer{normalForms["NFC"]}
	}
	t.words, t.plain = newWordEncoder(splitters, m)
	t.decoders = []decoder{decodeByteLevel}
	return nil
}

// wordPieceVocabulary undoes the spelling of GGUF, which marks the beginnings of words instead of their continuations.
func (t *Tokenizer) wordPieceVocabulary(v ggufVocabulary) error {
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
	t.normalize = bertNormalizer{CleanText: true, ChineseChars: true, Lower: true}.rules()
	splitters := []splitter{charSplit{isSpace, removed}, charSplit{isPunctuation, isolated}}
	t.words, t.plain = newWordEncoder(splitters, newWordPiece(t.vocab, "##", unknown, 100))
	t.decoders = []decoder{func(_ *call, tokens []string) []string { return decodeWordPiece(tokens, "##", true) }}
	return nil
}
