package tokenizer

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"
)

func modelFile(fields string) string { return `{"model":{` + fields + `}}` }

// Files that must not be read, and what is said of them.
func TestHostileJSON(t *testing.T) {
	nested := func(part, list, key string) string {
		open := `{"type":"Sequence","` + list + `":[`
		return `{"` + key + `":` + strings.Repeat(open, 100) + part + strings.Repeat(`]}`, 100) + `,"model":{"type":"WordLevel","vocab":{}}}`
	}
	good := `"type":"BPE","vocab":{"a":0,"b":1,"ab":2},"merges":["a b"]`
	for _, c := range []struct{ name, file, want string }{
		{"empty", ``, "is not whole JSON"},
		{"list", `[]`, "cannot unmarshal array"},
		{"no model", `{}`, "model is missing"},
		{"chat only", `{"chat_template":"{{ messages }}"}`, "chat template and no model"},
		{"version", `{"version":"2.0","model":{}}`, `version "2.0", want 1.0`},
		{"no vocabulary", modelFile(`"type":"BPE","merges":[]`), "vocab is missing"},
		{"no merges", modelFile(`"type":"BPE","vocab":{"a":0}`), "merges is missing"},
		{"unknown model", modelFile(`"type":"Magic","vocab":{}`), `model: unknown type "Magic"`},
		{"unknown normalizer", `{"normalizer":{"type":"Rot13"},"model":{}}`, `normalizer: unknown type "Rot13", known are BertNormalizer`},
		{"unknown splitter", `{"pre_tokenizer":{"type":"Sequence","pretokenizers":[{"type":"X"}]},"model":{}}`, `pre_tokenizer: unknown type "X"`},
		{"unknown decoder", `{"decoder":{"type":"CTC"},"model":{}}`, `decoder: unknown type "CTC"`},
		{"unknown post-processor", `{"post_processor":{"type":"X"},"model":{}}`, `post_processor: unknown type "X"`},
		{"huge id", modelFile(`"type":"BPE","vocab":{"a":1152921504606846976},"merges":[]`), `"a" has id 1152921504606846976, want 0 to`},
		{"huger id", modelFile(`"type":"BPE","vocab":{"a":1e40},"merges":[]`), "cannot unmarshal number"},
		{"far id", modelFile(`"type":"BPE","vocab":{"a":2000000000},"merges":[]`), `"a" has id 2000000000, want 0 to 65543`},
		{"negative id", modelFile(`"type":"WordLevel","vocab":{"a":-1}`), `"a" has id -1`},
		{"duplicate id", modelFile(`"type":"BPE","vocab":{"a":0,"b":0},"merges":[]`), `id 0 belongs to both "a" and "b"`},
		{"merge of nothing", modelFile(`"type":"BPE","vocab":{"a":0},"merges":["a z"]`), `merge 0: "z" is not in the vocabulary`},
		{"merge to nothing", modelFile(`"type":"BPE","vocab":{"a":0,"b":1},"merges":["a b"]`), `merge 0: "ab" is not in the vocabulary`},
		{"merge of one", modelFile(`"type":"BPE","vocab":{"a":0},"merges":["a"]`), "is not two tokens"},
		{"merge of three", modelFile(`"type":"BPE","vocab":{"a":0},"merges":[["a","a","a"]]`), "3 tokens, want 2"},
		{"prefix", modelFile(`"type":"BPE","continuing_subword_prefix":"####","vocab":{"a":0,"b":1},"merges":["a b"]`), "is shorter than the prefix"},
		{"dropout", modelFile(good + `,"dropout":0.1`), "dropout is 0.1"},
		{"unknown id", modelFile(`"type":"Unigram","unk_id":7,"vocab":[["a",0]]`), "unk_id is 7, want 0 to 0"},
		{"unigram entry", modelFile(`"type":"Unigram","vocab":[["a"]]`), "entry 0 has 1 elements"},
		{"unigram score", modelFile(`"type":"Unigram","vocab":[["a",1e999]]`), "entry 0"},
		{"word length", modelFile(`"type":"WordPiece","unk_token":"a","max_input_chars_per_word":1152921504606846976,"vocab":{"a":0}`),
			"max_input_chars_per_word"},
		{"template id", `{"post_processor":{"type":"TemplateProcessing","single":[{"SpecialToken":{"id":"x"}}],"special_tokens":{"x":{"ids":[9]}}},"model":{` + good + `}}`, "id 9 names no token, want 0 to 2"},
		{"template name", `{"post_processor":{"type":"TemplateProcessing","single":[{"SpecialToken":{"id":"x"}}],"special_tokens":{}},"model":{` + good +
			`}}`, `"x" is not among its special_tokens`},
		{"template part", `{"post_processor":{"type":"TemplateProcessing","single":[{"Sequence":{"id":"B"}}],"special_tokens":{}},"model":{` + good + `}}`,
			"neither the text nor a special token"},
		{"template tower", `{"post_processor":{"type":"Sequence","processors":[` +
			strings.TrimSuffix(strings.Repeat(`{"type":"TemplateProcessing","single":[{"Sequence":{"id":"A"}},{"Sequence":{"id":"A"}}]},`, 60),
				",") + `]},"model":{` + good + `}}`, "more than 4096 parts"},
		{"cls", `{"post_processor":{"type":"BertProcessing","cls":["a",0]},"model":{` + good + `}}`, "cls or sep is missing"},
		{"nested normalizers", nested(`{"type":"NFC"}`, "normalizers", "normalizer"), "nested more than 32 deep"},
		{"nested splitters", nested(`{"type":"Whitespace"}`, "pretokenizers", "pre_tokenizer"), "nested more than 32 deep"},
		{"nested decoders", nested(`{"type":"Fuse"}`, "decoders", "decoder"), "nested more than 32 deep"},
		{"nested processors", nested(`{"type":"ByteLevel"}`, "processors", "post_processor"), "nested more than 32 deep"},
		{"long added token", `{"added_tokens":[{"id":9,"content":"` + strings.Repeat("x", 5000) + `"}],"model":{` + good + `}}`,
			"is 5000 bytes long, want at most 4096"},
		{"long token", modelFile(`"type":"WordPiece","vocab":{"` + strings.Repeat("x", 5000) + `":0}`), "is 5000 bytes long, want at most 4096"},
		{"long piece", modelFile(`"type":"Unigram","vocab":[["` + strings.Repeat("x", 5000) + `",0]]`), "entry 0 is 5000 bytes long, want at most 4096"},
		{"taken id", `{"added_tokens":[{"id":9,"content":"x"}],"model":{"type":"WordLevel","vocab":{"a":0,"b":2}}}`, "would get id 2, which is taken"},
		{"open class", `{"pre_tokenizer":{"type":"Split","pattern":{"Regex":"[a"},"behavior":"Isolated"},"model":{` + good + `}}`, "a class is not closed"},
		{"intersection", `{"pre_tokenizer":{"type":"Split","pattern":{"Regex":"[a&&b]"},"behavior":"Isolated"},"model":{` + good + `}}`,
			"&& inside a class is not supported"},
		{"open group", `{"pre_tokenizer":{"type":"Split","pattern":{"Regex":"(a"},"behavior":"Isolated"},"model":{` + good + `}}`, "pattern"},
		{"behavior", `{"pre_tokenizer":{"type":"Split","pattern":{"String":"a"},"behavior":"Sideways"},"model":{` + good + `}}`,
			`unknown behavior "Sideways"`},
		{"metaspace", `{"pre_tokenizer":{"type":"Metaspace","replacement":""},"model":{` + good + `}}`, "is not one character"},
		{"prepend scheme", `{"pre_tokenizer":{"type":"Metaspace","replacement":"_","prepend_scheme":"last"},"model":{` + good + `}}`,
			`unknown prepend_scheme "last"`},
		{"character map", `{"normalizer":{"type":"Precompiled","precompiled_charsmap":"////fw=="},"model":{` + good + `}}`, "precompiled_charsmap"},
		{"not base64", `{"normalizer":{"type":"Precompiled","precompiled_charsmap":"*"},"model":{` + good + `}}`, "illegal base64"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := readJSON([]byte(c.file), "file.json")
			checkRefusal(t, err, c.want)
		})
	}
}

func checkRefusal(t *testing.T, err error, want string) {
	t.Helper()
	if err == nil {
		t.Fatalf("read, want an error with %q", want)
	}
	text := err.Error()
	if !strings.Contains(text, want) || !strings.HasPrefix(text, "tokenizer: ") || strings.Contains(text, "\n") || len(text) > 1000 {
		t.Errorf("got %q (%d bytes), want one line with %q", text, len(text), want)
	}
}

// No beginning of a file is taken for a whole one, and none is fatal.
func TestTruncated(t *testing.T) {
	json := gunzip(t, "testdata/golden/bert/tokenizer.json.gz")
	for n := range json {
		if _, err := readJSON(json[:n], "cut.json"); err == nil {
			t.Fatalf("tokenizer.json cut to %d of %d bytes was read", n, len(json))
		}
	}
	proto := gunzip(t, "testdata/sentencepiece/bpe-bytes.model.gz")
	read := 0
	for n := range proto {
		tok, err := readSentencePiece(proto[:n], "cut.model")
		if err != nil {
			continue
		}
		read++ // a message may end behind any of its fields
		if _, err := tok.Encode("The cat", true); err != nil && !strings.Contains(err.Error(), "no token covers") {
			t.Fatal(err)
		}
	}
	if read > len(proto)/4 {
		t.Errorf("%d of %d beginnings were read", read, len(proto))
	}
}

func field(number protowire.Number, data []byte) []byte {
	return protowire.AppendBytes(protowire.AppendTag(nil, number, protowire.BytesType), data)
}

func number(number protowire.Number, value uint64) []byte {
	return protowire.AppendVarint(protowire.AppendTag(nil, number, protowire.VarintType), value)
}

func protoPiece(text string, kind uint64) []byte {
	return field(1, append(field(1, []byte(text)), number(3, kind)...))
}

// longPieces would take hours to cut in two at every place.
func longPieces(n int) (out []byte) {
	for i := range n {
		out = append(out, protoPiece(fmt.Sprintf("%04d", i)+strings.Repeat("x", longestToken-4), pieceNormal)...)
	}
	return out
}

func TestHostileSentencePiece(t *testing.T) {
	join := func(parts ...[]byte) (out []byte) {
		for _, p := range parts {
			out = append(out, p...)
		}
		return out
	}
	unknown := protoPiece("<unk>", pieceUnknown)
	bpe := field(2, number(3, 2))
	notNumber := append(field(1, []byte("x")), protowire.AppendFixed32(protowire.AppendTag(nil, 2, protowire.Fixed32Type), 0x7fc00000)...)
	units := binary.LittleEndian.AppendUint32(nil, 1<<31)
	for _, c := range []struct {
		name string
		file []byte
		want string
	}{
		{"empty", nil, "holds no pieces"},
		{"text", []byte("hello world, this is text"), "SentencePiece model"},
		{"long length", protowire.AppendVarint(protowire.AppendTag(nil, 1, protowire.BytesType), 1<<60), "is no whole SentencePiece model"},
		{"no unknown", protoPiece("a", pieceNormal), "has no unknown piece"},
		{"two unknowns", join(unknown, unknown), "are both the unknown piece"},
		{"type", join(unknown, protoPiece("a", 99)), "type 99, want 1 to 6"},
		{"wide type", join(unknown, protoPiece("a", 1<<32+1)), "type 4294967297, want 1 to 6"},
		{"empty piece", join(unknown, protoPiece("", pieceNormal)), "is empty or not UTF-8"},
		{"bytes", join(unknown, protoPiece("\xff", pieceNormal)), "is empty or not UTF-8"},
		{"score", join(unknown, field(1, notNumber)), "want a finite number"},
		{"model type", join(unknown, field(2, number(3, 4))), "model_type 4"},
		{"unused", join(unknown, protoPiece("a", pieceUnused), bpe), "marked unused"},
		{"long piece", join(unknown, protoPiece(strings.Repeat("a", 5000), pieceNormal), bpe), "5000 bytes long"},
		{"long user piece", join(unknown, protoPiece(strings.Repeat("a", 5000), pieceControl)), "5000 bytes long"},
		{"long pieces", join(unknown, longPieces(300), bpe), "the pieces are too long"},
		{"character map size", join(unknown, field(3, field(2, units))), "precompiled_charsmap"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := readSentencePiece(c.file, "file.model")
			checkRefusal(t, err, c.want)
		})
	}
}

func TestHostileGGUF(t *testing.T) {
	id := func(n int64) *int64 { return &n }
	yes := true
	for _, c := range []struct {
		name string
		v    ggufVocabulary
		want string
	}{
		{"nothing", ggufVocabulary{Model: "llama"}, "0 tokens"},
		{"model", ggufVocabulary{Model: "t5", Tokens: []string{"a"}}, `unknown "t5", known are bert, gpt2, llama`},
		{"pre", ggufVocabulary{Model: "gpt2", Pre: "nonsense", Tokens: []string{"a"}}, `unknown "nonsense", known are`},
		{"long token", ggufVocabulary{Model: "llama", Tokens: []string{strings.Repeat("a", 5000)}}, "token 0 is 5000 bytes long"},
		{"types", ggufVocabulary{Model: "gpt2", Pre: "gpt-2", Tokens: []string{"a"}, Types: []int32{1, 1}}, "2 types, want 1"},
		{"scores", ggufVocabulary{Model: "llama", Tokens: []string{"a"}}, "0 scores, want 1"},
		{"merge", ggufVocabulary{Model: "gpt2", Pre: "gpt-2", Tokens: []string{"a"}, Merges: []string{"a"}}, "is not two tokens"},
		{"empty merge", ggufVocabulary{Model: "gpt2", Pre: "gpt-2", Tokens: []string{"a"}, Merges: []string{""}}, "is not two tokens"},
		{"merge of nothing", ggufVocabulary{Model: "gpt2", Pre: "gpt-2", Tokens: []string{"a"}, Merges: []string{"a b"}}, `"b" is not in the vocabulary`},
		{"bos", ggufVocabulary{Model: "gpt2", Pre: "gpt-2", Tokens: []string{"a"}, BOS: id(1 << 60)}, "bos_token_id: 1152921504606846976, want 0 to 0"},
		{"add without", ggufVocabulary{Model: "gpt2", Pre: "gpt-2", Tokens: []string{"a"}, AddBOS: &yes}, "add_bos_token without"},
		{"add eos without", ggufVocabulary{Model: "gpt2", Pre: "gpt-2", Tokens: []string{"a"}, AddEOS: &yes}, "add_eos_token without"},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.v.Name = "file.gguf"
			_, err := readGGUF(c.v)
			checkRefusal(t, err, c.want)
		})
	}
}

// A merge of a token with its own parts, over and over, ends: every merge makes the word shorter.
func TestCyclicMerges(t *testing.T) {
	tok, err := readJSON([]byte(modelFile(`"type":"BPE","vocab":{"a":0,"":1,"aa":2,"aaa":3},"merges":[["a","a"],["aa","a"],["a","aa"],["","a"],["a",""]]`)), "cyclic")
	if err != nil {
		t.Fatal(err)
	}
	ids, err := tok.Encode(strings.Repeat("a", 1001), false)
	if err != nil || len(ids) == 0 || len(ids) > 1001 {
		t.Errorf("%d ids, %v", len(ids), err)
	}
}

func TestBadText(t *testing.T) {
	tok := small(t, "gpt2")
	ids, err := tok.Encode("fine \xff", true)
	if len(ids) != 0 || !errors.Is(err, ErrText) || err.Error() != "tokenizer: gpt2: text: byte 5 (0xff) is not UTF-8" {
		t.Errorf("%v, %v", ids, err)
	}
	for _, id := range []int32{-1, int32(tok.Size()), 1 << 30} {
		want := fmt.Sprintf("tokenizer: gpt2: id %d names no token, want 0 to %d", id, tok.Size()-1)
		if _, err := tok.Decode([]int32{0, id}, true); err == nil || err.Error() != want {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}

func TestOpenErrors(t *testing.T) {
	folder := t.TempDir()
	write := func(name, content string) {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	_, err := Open(filepath.Join(folder, "absent"))
	checkRefusal(t, err, "no such file")
	_, err = Open(folder)
	checkRefusal(t, err, "holds neither tokenizer.json nor tokenizer.model")
	write("broken.gguf", "GGUF")
	_, err = Open(folder)
	checkRefusal(t, err, "broken.gguf")
	write("tokenizer.json", string(gunzip(t, "testdata/golden/gpt2/tokenizer.json.gz")))
	write("tokenizer_config.json", `{"bos_token":"<none>"}`)
	_, err = Open(folder)
	checkRefusal(t, err, `"<none>" is not in the vocabulary`)
	write("tokenizer_config.json", `{"add_bos_token":true}`)
	_, err = Open(folder)
	checkRefusal(t, err, "add_bos_token without a bos_token")
	write("tokenizer_config.json", `{"bos_token":`)
	_, err = Open(folder)
	checkRefusal(t, err, "tokenizer_config.json")
}
