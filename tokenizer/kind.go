package tokenizer

import "slices"

// Kind says how the tokenizer makes ids of words: "byte-level BPE", "BPE", "SentencePiece BPE", "Unigram", "WordPiece" or "WordLevel".
func (t *Tokenizer) Kind() string {
	switch t.plain.model.(type) {
	case *unigram:
		return "Unigram"
	case *wordPiece:
		return "WordPiece"
	case *wordLevel:
		return "WordLevel"
	case *scoredBPE:
		return "SentencePiece BPE"
	}
	if slices.ContainsFunc(t.plain.splitters, func(s splitter) bool { _, is := s.(byteLevel); return is }) {
		return "byte-level BPE"
	}
	return "BPE"
}
