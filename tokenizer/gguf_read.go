// Reading what a GGUF file says of its tokenizer: keys tokenizer.ggml.*, and tokenizer.chat_template.

package tokenizer

import (
	"errors"
	"fmt"
	"math"

	"avssnative/internal/gguf"
)

const templateKey = "chat_template"

func openGGUF(path string) (*Tokenizer, error) {
	file, err := gguf.Open(path)
	if err != nil {
		return nil, classified(fmt.Errorf("tokenizer: %w", err))
	}
	defer file.Close()
	v, err := readVocabulary(file)
	if err != nil {
		return nil, located(path, err)
	}
	v.Name = path
	return readGGUF(v)
}

// metaReader reads keys of a file and keeps the first error.
type metaReader struct {
	file *gguf.File
	err  error
}

func read[T any](m *metaReader, key string) (value T, present bool) {
	if m.err == nil {
		value, present, m.err = gguf.Get[T](m.file, "tokenizer."+key)
	}
	return value, present && m.err == nil
}

func (m *metaReader) flag(key string) *bool {
	if value, ok := read[bool](m, "ggml."+key); ok {
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

func readVocabulary(file *gguf.File) (ggufVocabulary, error) {
	m := &metaReader{file: file}
	var v ggufVocabulary
	var ok bool
	if v.Model, ok = read[string](m, "ggml.model"); !ok && m.err == nil {
		return v, errors.New("tokenizer.ggml.model is absent: the file holds no vocabulary")
	}
	v.Pre, _ = read[string](m, "ggml.pre")
	v.Tokens, _ = read[[]string](m, "ggml.tokens")
	v.Scores, _ = read[[]float32](m, "ggml.scores")
	v.Types, _ = read[[]int32](m, "ggml.token_type")
	v.Merges, _ = read[[]string](m, "ggml.merges")
	v.BOS, v.EOS, v.Unknown = m.id("bos_token_id", "cls_token_id"), m.id("eos_token_id", "seperator_token_id"), m.id("unknown_token_id")
	if v.Model == "bert" {
		v.BOS, v.EOS = m.id("cls_token_id", "bos_token_id"), m.id("seperator_token_id", "eos_token_id")
	}
	v.Padding = m.id("padding_token_id")
	v.AddBOS, v.AddEOS, v.AddSpacePrefix = m.flag("add_bos_token"), m.flag("add_eos_token"), m.flag("add_space_prefix")
	v.Template, _ = read[string](m, templateKey)
	names, _ := read[[]string](m, "chat_templates")
	v.Templates = map[string]string{}
	for _, name := range names {
		if text, ok := read[string](m, templateKey+"."+name); ok {
			v.Templates[name] = text
		}
	}
	return v, m.err
}
