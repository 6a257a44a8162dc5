// Post-processors: the tokens put around a text, read from the "post_processor" of tokenizer.json. Whatever its kind, one comes down
// to a list of ids with the text somewhere among them; processors in sequence put theirs around what the ones before made.

package tokenizer

import (
	"encoding/json"
	"fmt"
)

const knownPostProcessors = "BertProcessing, ByteLevel, RobertaProcessing, Sequence, TemplateProcessing"

const mostPostPieces = 1 << 12 // bounds templates inside sequences

// parsePost returns what inner becomes; inner begins as the text alone.
func parsePost(raw json.RawMessage, inner []postPiece, depth int) ([]postPiece, error) {
	if absent(raw) {
		return inner, nil
	}
	if depth > deepestNesting {
		return nil, fmt.Errorf("post_processor: nested more than %d deep", deepestNesting)
	}
	kind, err := kindOf(raw)
	if err != nil {
		return nil, fmt.Errorf("post_processor: %w", err)
	}
	switch kind {
	case "ByteLevel": // concerns offsets only
		return inner, nil
	case "Sequence":
		var s struct{ Processors []json.RawMessage }
		if err := unmarshal(raw, &s); err != nil {
			return nil, fmt.Errorf("post_processor Sequence: %w", err)
		}
		for _, part := range s.Processors {
			if inner, err = parsePost(part, inner, depth+1); err != nil {
				return nil, err
			}
		}
		return inner, nil
	case "BertProcessing", "RobertaProcessing":
		var b struct{ Cls, Sep namedID }
		if err := unmarshal(raw, &b); err != nil {
			return nil, fmt.Errorf("post_processor %s: %w", kind, err)
		}
		if !b.Cls.set || !b.Sep.set {
			return nil, fmt.Errorf("post_processor %s: cls or sep is missing", kind)
		}
		around := []postPiece{{ids: []int32{b.Cls.id}}}
		around = append(around, inner...)
		return append(around, postPiece{ids: []int32{b.Sep.id}}), nil
	case "TemplateProcessing":
		return parseTemplate(raw, inner)
	}
	return nil, unsupported("post_processor: unknown type %.80q, known are %s", kind, knownPostProcessors)
}

// A namedID is a pair [token, id].
type namedID struct {
	id  int32
	set bool
}

func (n *namedID) UnmarshalJSON(data []byte) error {
	var pair []json.RawMessage
	if err := unmarshal(data, &pair); err != nil {
		return err
	}
	if len(pair) != 2 {
		return fmt.Errorf("%d elements, want a token and its id", len(pair))
	}
	n.set = true
	return unmarshal(pair[1], &n.id)
}

func parseTemplate(raw json.RawMessage, inner []postPiece) ([]postPiece, error) {
	var t struct {
		Single []struct {
			SpecialToken *struct{ ID string }
			Sequence     *struct{ ID string }
		}
		SpecialTokens map[string]struct{ IDs []int32 } `json:"special_tokens"`
	}
	if err := unmarshal(raw, &t); err != nil {
		return nil, fmt.Errorf("post_processor TemplateProcessing: %w", err)
	}
	var out []postPiece
	for _, piece := range t.Single {
		switch {
		case piece.Sequence != nil && piece.Sequence.ID == "A":
			out = append(out, inner...)
		case piece.SpecialToken != nil:
			token, ok := t.SpecialTokens[piece.SpecialToken.ID]
			if !ok {
				return nil, fmt.Errorf("post_processor TemplateProcessing: %.80q is not among its special_tokens", piece.SpecialToken.ID)
			}
			out = append(out, postPiece{ids: token.IDs})
		default:
			return nil, fmt.Errorf("post_processor TemplateProcessing: single holds a part that is neither the text nor a special token")
		}
		if len(out) > mostPostPieces {
			return nil, fmt.Errorf("post_processor: more than %d parts", mostPostPieces)
		}
	}
	return out, nil
}

// boundary names the tokens that begin and end a text where only the post-processor tells: the first id before the text and the
// last one behind it.
func (t *Tokenizer) boundary() (bos, eos int32) {
	bos, eos = -1, -1
	seen := false
	for _, piece := range t.post {
		switch {
		case piece.text:
			seen = true
		case len(piece.ids) == 0:
		case !seen && bos < 0:
			bos = piece.ids[0]
		case seen:
			eos = piece.ids[len(piece.ids)-1]
		}
	}
	return bos, eos
}

func (t *Tokenizer) checkPost() error {
	total := 0
	for _, piece := range t.post {
		total += len(piece.ids) + 1
		for _, id := range piece.ids {
			if _, ok := t.vocab.token(id); !ok {
				return fmt.Errorf("post_processor: id %d names no token, want 0 to %d", id, t.Size()-1)
			}
		}
	}
	if total > mostPostPieces {
		return fmt.Errorf("post_processor: adds more than %d tokens", mostPostPieces)
	}
	return nil
}
