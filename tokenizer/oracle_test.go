package tokenizer

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/encoding/protowire"

	"avssnative/internal/need"
)

// The tokenizers library itself, run by the Python that AVSSNATIVE_PYTHON names, judges texts and combinations of components that no
// published file covers.

type question struct {
	Tokenizer json.RawMessage `json:"tokenizer"`
	Mode      string          `json:"mode"` // "ids", "words", "normal", "offsets" or "decoded" (texts are lists of tokens)
	Texts     []string        `json:"texts"`
}

func ask(t *testing.T, questions []question) []json.RawMessage {
	t.Helper()
	python := need.Python(t, "tokenizers")
	input, err := json.Marshal(questions)
	if err != nil {
		t.Fatal(err)
	}
	command := exec.Command(python, filepath.Join("testdata", "oracle.py"))
	command.Stdin = bytes.NewReader(input)
	output, err := command.Output()
	if err != nil {
		t.Fatalf("oracle.py: %v", err)
	}
	var answers []json.RawMessage
	if err := json.Unmarshal(output, &answers); err != nil {
		t.Fatal(err)
	}
	return answers
}

var oddParts = []string{
	" ", "  ", "   ", "\t", "\n", "\r\n", "\n\n", "\v", "\f", "\u0085", "\u00a0", "\u1680", "\u2003", "\u2028", "\u3000", "\u200b", "\u200d", "\ufeff", "\ufffd", "\x00", "\x01", "\x7f",
	"a", "the", "The", "THE", "he", "in", "er", "on", "world", "Hello", "camelCaseWord", "XMLHttp", "ümlaut", "e\u0301", "é", "İ", "ß", "ſ", "Σ", "ς", "ǅ", "ʰ", "K", "Å", "ﬁ", "½", "²", "Ⅷ", "①", "Ⓐ",
	"'s", "'S", "'ſ", "'re", "'LL", "'Ve", "'d", "'x", "'", "n't", " do not", "1", "12", "123", "1234567", "٣٤", "१२३", "𝟘𝟙", "一", "漢字", "かな", "カナ", "ﾊﾟ", "한국어", "\u1112\u1161\u11ab", "Ελλ", "Я", "שלום", "سلام",
	"नमस्ते", "ไทย", "👩‍👩‍👧", "🇩🇪", "❤️", "😀", "\U0001f9ff", "\u0327\u0301", "\u0315\u0300\u05ae", "\u0345\u0334", "a\u0300\u0301\u0302\u0303\u0304\u0305\u0306", "\u1e9b\u0323", "\u0958", "\u0344", "\u2126",
	".", ",", "!", "?", "...", "--", "->", "==", "$", "+", "^", "`", "~", "|", "<", ">", "#", "@", "/", "//", "\\", "_", "(", ")", "[", "]", "{", "}", "“", "”", "…", "、", "。", "؟", "\u2e43", "\u061d",
	"<s>", "</s>", "<unk>", "<|endoftext|>", "[CLS]", "[SEP]", "[UNK]", "<0x0A>", "▁", "▁▁", "Ġ", "Ċ", "##", "\u1c89", "\U00010d50", "\U00016d40", "\u0898", "\u1abf", "\U0001e4ec", "\ue000", "\u0378", "\U0010ffff",
	"x\u200dy", "\U00011935\U00011930", "\u0ba8\u0bbf", "\u0e01\u0e33", "\u1100\u1161", "\u093f", "\u0600a", "\u1d15e", "\ufb1d", "\u01c6", "\u2fa1d", "\u09cb", "\u09c7\u09be",
}

func oddTexts(seed uint64, count int) []string {
	random := rand.New(rand.NewPCG(seed, 1))
	texts := []string{"", " ", "\n", "a"}
	for len(texts) < count {
		var text strings.Builder
		for range 1 + random.IntN(12) {
			switch random.IntN(12) {
			case 0:
				r := rune(random.IntN(0x11000))
				if r >= 0xd800 && r < 0xe000 {
					r = 'q'
				}
				text.WriteRune(r)
			case 1:
				text.WriteString(strings.Repeat(oddParts[random.IntN(len(oddParts))], 1+random.IntN(5)))
			default:
				text.WriteString(oddParts[random.IntN(len(oddParts))])
				if random.IntN(3) == 0 {
					text.WriteByte(' ')
				}
			}
		}
		texts = append(texts, text.String())
	}
	return texts
}

// variant replaces parts of a small golden tokenizer.
func variant(t testing.TB, base string, changes map[string]string) json.RawMessage {
	t.Helper()
	var file map[string]json.RawMessage
	if err := json.Unmarshal(gunzip(t, filepath.Join("testdata", "golden", base, "tokenizer.json.gz")), &file); err != nil {
		t.Fatal(err)
	}
	for key, value := range changes {
		if part, field, inside := strings.Cut(key, "."); inside {
			var fields map[string]json.RawMessage
			if err := json.Unmarshal(file[part], &fields); err != nil {
				t.Fatal(err)
			}
			fields[field] = json.RawMessage(value)
			packed, err := json.Marshal(fields)
			if err != nil {
				t.Fatal(err)
			}
			file[part] = packed
		} else {
			file[key] = json.RawMessage(value)
		}
	}
	packed, err := json.Marshal(file)
	if err != nil {
		t.Fatal(err)
	}
	return packed
}

func quoted(text string) string {
	packed, _ := json.Marshal(text)
	return string(packed)
}

const bytesOnly = `{"type":"ByteLevel","add_prefix_space":false,"trim_offsets":true,"use_regex":false}`

func splitThenBytes(pattern string) string {
	return `{"type":"Sequence","pretokenizers":[{"type":"Split","pattern":{"Regex":` + quoted(pattern) + `},"behavior":"Isolated","invert":false},` + bytesOnly + `]}`
}

func addedFlags(flags string) string {
	return `[{"id":0,"content":"<unk>","single_word":false,"lstrip":false,"rstrip":false,"normalized":false,"special":true},` +
		`{"id":1,"content":"<s>","single_word":false,"lstrip":false,"rstrip":false,"normalized":false,"special":true},` +
		`{"id":2,"content":"</s>","special":true,` + flags + `},{"id":3,"content":"the","special":false,` + flags + `},` +
		`{"id":5000,"content":"He","special":false,` + flags + `},{"id":5001,"content":"Hello","special":true,` + flags + `},{"id":5002,"content":"er","special":false,` + flags + `}]`
}

type oracleVariant struct {
	base    string
	changes map[string]string
}

var variants = []oracleVariant{
	{"gpt2", nil}, {"llama3", nil}, {"qwen2", nil}, {"llama2-legacy", nil}, {"llama2-metaspace", nil}, {"unigram", nil}, {"bert", nil},
	{"gpt2", map[string]string{"pre_tokenizer": `{"type":"ByteLevel","add_prefix_space":true,"trim_offsets":true,"use_regex":true}`}},
	{"gpt2", map[string]string{"pre_tokenizer": splitThenBytes(patternO200k)}},
	{"gpt2", map[string]string{"pre_tokenizer": splitThenBytes(patternTekken)}},
	{"gpt2", map[string]string{"pre_tokenizer": splitThenBytes(`'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]++[\r\n]*|\s*[\r\n]|\s+(?!\S)|\s+`)}},
	{"gpt2", map[string]string{"pre_tokenizer": splitThenBytes(`'(?:[sdmt]|ll|ve|re)| ?\p{L}++| ?\p{N}++| ?[^\s\p{L}\p{N}]++|\s++$|\s+(?!\S)|\s`)}},
	{"gpt2", map[string]string{"pre_tokenizer": splitThenBytes(` ?[^(\s|[.,!?…。，、।۔،])]+`)}},
	{"gpt2", map[string]string{"pre_tokenizer": splitThenBytes(`[\p{L}\p{M}]+|\p{N}{1,3}+|\w+|\d|\h`)}},
	{"gpt2", map[string]string{"pre_tokenizer": splitThenBytes(`\s+$|^\s|[^\s\d]+|\bthe\b`)}},
	{"gpt2", map[string]string{"pre_tokenizer": `{"type":"Sequence","pretokenizers":[{"type":"Digits","individual_digits":true},{"type":"ByteLevel","add_prefix_space":false,"trim_offsets":true,"use_regex":true}]}`}},
	{"gpt2", map[string]string{"pre_tokenizer": `{"type":"Sequence","pretokenizers":[{"type":"Punctuation","behavior":"Contiguous"},{"type":"ByteLevel","add_prefix_space":false,"trim_offsets":true,"use_regex":true},{"type":"Digits","individual_digits":false},{"type":"Split","pattern":{"Regex":"[0-9][0-9][0-9]"},"behavior":"Isolated","invert":false}]}`}},
	{"gpt2", map[string]string{"pre_tokenizer": `null`, "normalizer": `{"type":"ByteLevel"}`}},
	{"gpt2", map[string]string{"post_processor": `{"type":"RobertaProcessing","sep":["</s>",2],"cls":["<s>",1],"trim_offsets":true,"add_prefix_space":true}`, "added_tokens": addedFlags(`"single_word":false,"lstrip":true,"rstrip":false,"normalized":true`)}},
	{"llama2-legacy", map[string]string{"added_tokens": addedFlags(`"single_word":true,"lstrip":true,"rstrip":true,"normalized":false`)}},
	{"llama2-legacy", map[string]string{"added_tokens": addedFlags(`"single_word":false,"lstrip":false,"rstrip":true,"normalized":true`)}},
	{"llama2-legacy", map[string]string{"model.byte_fallback": `false`}},
	{"llama2-legacy", map[string]string{"model.byte_fallback": `false`, "model.fuse_unk": `false`}},
	{"llama2-legacy", map[string]string{"model.byte_fallback": `false`, "model.unk_token": `null`, "decoder": `null`}},
	{"llama2-legacy", map[string]string{"decoder": `{"type":"Metaspace","replacement":"▁","prepend_scheme":"always","split":true}`}},
	{"llama2-metaspace", map[string]string{"pre_tokenizer": `{"type":"Metaspace","replacement":"▁","prepend_scheme":"always","split":true}`, "added_tokens": addedFlags(`"single_word":false,"lstrip":false,"rstrip":false,"normalized":false`)}},
	{"llama2-metaspace", map[string]string{"pre_tokenizer": `{"type":"Metaspace","replacement":"▁","prepend_scheme":"never","split":false}`}},
	{"llama2-metaspace", map[string]string{"normalizer": `{"type":"Strip","strip_left":true,"strip_right":true}`, "added_tokens": addedFlags(`"single_word":false,"lstrip":false,"rstrip":false,"normalized":true`)}},
	{"llama2-metaspace", map[string]string{"pre_tokenizer": `{"type":"Sequence","pretokenizers":[{"type":"WhitespaceSplit"},{"type":"Metaspace","replacement":"▁","prepend_scheme":"first","split":true}]}`}},
	{"unigram", map[string]string{"normalizer": `{"type":"Sequence","normalizers":[{"type":"Nmt"},{"type":"NFKC"},{"type":"Replace","pattern":{"Regex":" {2,}"},"content":" "}]}`}},
	{"unigram", map[string]string{"pre_tokenizer": `{"type":"Metaspace","replacement":"▁","prepend_scheme":"always","split":false}`, "normalizer": `{"type":"NFKD"}`}},
	{"bert", map[string]string{"normalizer": `{"type":"BertNormalizer","clean_text":false,"handle_chinese_chars":false,"strip_accents":true,"lowercase":false}`, "model.max_input_chars_per_word": `4`}},
	{"bert", map[string]string{"normalizer": `{"type":"Sequence","normalizers":[{"type":"NFD"},{"type":"Lowercase"},{"type":"StripAccents"}]}`, "pre_tokenizer": `{"type":"Whitespace"}`,
		"post_processor": `{"type":"BertProcessing","sep":["[SEP]",3],"cls":["[CLS]",2]}`, "added_tokens": addedFlags(`"single_word":false,"lstrip":false,"rstrip":false,"normalized":true`)}},
	{"bert", map[string]string{"pre_tokenizer": `{"type":"FixedLength","length":3}`, "decoder": `{"type":"WordPiece","prefix":"##","cleanup":false}`}},
	{"bert", map[string]string{"pre_tokenizer": `{"type":"Split","pattern":{"String":" "},"behavior":"MergedWithPrevious","invert":false}`}},
	{"bert", map[string]string{"pre_tokenizer": `{"type":"Split","pattern":{"Regex":"\\w+"},"behavior":"Removed","invert":true}`}},
	{"bert", map[string]string{"pre_tokenizer": `{"type":"CharDelimiterSplit","delimiter":"e"}`, "decoder": `{"type":"BPEDecoder","suffix":"e"}`}},
}

// charsmapOf takes the character map out of a small SentencePiece model.
func charsmapOf(t testing.TB, name string) []byte {
	t.Helper()
	p := &sentencePiece{}
	err := eachField(gunzip(t, filepath.Join("testdata", "sentencepiece", name+".model.gz")), func(number protowire.Number, value []byte, _ uint64) error {
		if number == 3 {
			return p.spaces(value)
		}
		return nil
	})
	if err != nil || len(p.charsmap) == 0 {
		t.Fatal("no character map", err)
	}
	return p.charsmap
}

func TestOracleIDs(t *testing.T) {
	count := 500
	if testing.Short() {
		count = 200
	}
	variants := slices.Clone(variants)
	charsmap := `{"type":"Precompiled","precompiled_charsmap":` + quoted(base64.StdEncoding.EncodeToString(charsmapOf(t, "unigram-nfkc"))) + `}`
	for _, base := range []string{"unigram", "llama2-metaspace"} {
		variants = append(variants, oracleVariant{base, map[string]string{"normalizer": charsmap}})
	}
	var questions []question
	for i, v := range variants {
		questions = append(questions, question{variant(t, v.base, v.changes), "ids", oddTexts(uint64(i), count)})
	}
	answers := ask(t, questions)
	for i, q := range questions {
		name := fmt.Sprintf("%s %v", variants[i].base, slices.Sorted(maps.Keys(variants[i].changes)))
		tok, err := readJSON(q.Tokenizer, "variant")
		if err != nil {
			t.Errorf("%d %s: %v", i, name, err)
			continue
		}
		compareIDs(t, fmt.Sprintf("%d %s", i, name), tok, q.Texts, answers[i])
	}
}

func compareIDs(t *testing.T, name string, tok *Tokenizer, texts []string, answer json.RawMessage) {
	t.Helper()
	var want []*struct {
		IDs, Special   []int32
		Decoded, Plain string
	}
	if err := json.Unmarshal(answer, &want); err != nil {
		t.Fatal(err)
	}
	wrong := 0
	for j, text := range texts {
		ids, err := tok.Encode(text, false)
		if err != nil {
			t.Fatalf("%s: %q: %v", name, text, err)
		}
		if want[j] == nil {
			continue
		}
		special, _ := tok.Encode(text, true)
		decoded, err := tok.Decode(want[j].Special, false)
		if err != nil {
			t.Fatalf("%s: %q: %v", name, text, err)
		}
		plain, _ := tok.Decode(want[j].Special, true)
		w := want[j]
		if !slices.Equal(ids, w.IDs) || !slices.Equal(special, w.Special) || decoded != w.Decoded || plain != w.Plain {
			if wrong++; wrong <= 2 {
				t.Errorf("%s: %+q:\ngot  %v\nwant %v\ngot  %q %q\nwant %q %q", name, text, ids, w.IDs, decoded, plain, w.Decoded, w.Plain)
			}
		}
	}
	if wrong > 0 {
		t.Errorf("%s: %d of %d differ", name, wrong, len(texts))
	}
}

// The published vocabularies on more texts than their golden cases hold.
func TestOraclePublished(t *testing.T) {
	names := []string{"gpt2", "mistral", "neox-pythia"}
	var questions []question
	for i, name := range names {
		data, err := os.ReadFile(filepath.Join(need.Data(t, "tokenizers/"+name), "tokenizer.json"))
		if err != nil {
			t.Fatal(err)
		}
		questions = append(questions, question{data, "ids", oddTexts(uint64(100+i), 1000)})
	}
	for i, answer := range ask(t, questions) {
		compareIDs(t, names[i], open(t, need.Data(t, "tokenizers/"+names[i])), questions[i].Texts, answer)
	}
}

// everyCharacter holds each character of the planes in use between two letters, a block a text.
func everyCharacter(before, after string) []string {
	var texts []string
	var text strings.Builder
	for r := rune(1); r <= 0x10ffff; r++ {
		if r < 0xd800 || r >= 0xe000 {
			text.WriteString(before)
			text.WriteRune(r)
			text.WriteString(after)
		}
		if r == 0x33fff {
			r = 0xe0000 // nothing is assigned between
		} else if r == 0xf0fff {
			r = 0x10ff00 // private use
		}
		if r%0x100 == 0 || r == 0x10ffff {
			texts = append(texts, text.String())
			text.Reset()
		}
	}
	return texts
}

// Every character is split and normalised as the library does it.
func TestOracleCharacters(t *testing.T) {
	split := func(pattern string) string {
		return `{"type":"Split","pattern":{"Regex":` + quoted(pattern) + `},"behavior":"Isolated","invert":false}`
	}
	var questions []question
	var parts []string
	texts := everyCharacter("a", "b")
	for _, part := range []string{`{"type":"Whitespace"}`, `{"type":"WhitespaceSplit"}`, `{"type":"Punctuation","behavior":"Isolated"}`, `{"type":"Digits","individual_digits":true}`,
		`{"type":"BertPreTokenizer"}`, split(patternGPT2), split(patternLlama3), split(patternO200k), split(`\w`), split(`\p{M}|\p{P}`), split(`\p{S}|\d`), split(`\p{Lu}|\p{Lm}`), split(`[^\p{Ll}\p{Lo}]`), split(`\p{Han}`)} {
		questions = append(questions, question{variant(t, "gpt2", map[string]string{"pre_tokenizer": part}), "words", texts})
		parts = append(parts, part)
	}
	for _, part := range []string{`{"type":"NFC"}`, `{"type":"NFD"}`, `{"type":"NFKC"}`, `{"type":"NFKD"}`, `{"type":"Lowercase"}`, `{"type":"StripAccents"}`, `{"type":"Nmt"}`, `{"type":"ByteLevel"}`,
		`{"type":"BertNormalizer","clean_text":true,"handle_chinese_chars":true,"strip_accents":null,"lowercase":true}`} {
		file := variant(t, "gpt2", map[string]string{"normalizer": part})
		questions = append(questions, question{file, "normal", texts}, question{file, "normal", everyCharacter("a\u0345", "\u0301")}, question{file, "normal", oddTexts(7, 1000)})
		parts = append(parts, part, part, part)
	}
	for i, answer := range ask(t, questions) {
		if questions[i].Mode == "words" {
			splitters, err := parseSplitters(json.RawMessage(parts[i]), 0)
			if err != nil {
				t.Fatal(err)
			}
			var want [][]string
			if err := json.Unmarshal(answer, &want); err != nil {
				t.Fatal(err)
			}
			for j, text := range questions[i].Texts {
				got := wordsOf(t, splitters, text)
				if !slices.Equal(got, want[j]) {
					t.Errorf("%s: block %d: %s", parts[i], j, firstDifference(got, want[j]))
				}
			}
			continue
		}
		n, err := parseNormalizer(json.RawMessage(parts[i]), 0)
		if err != nil {
			t.Fatal(err)
		}
		var want []string
		if err := json.Unmarshal(answer, &want); err != nil {
			t.Fatal(err)
		}
		for j, text := range questions[i].Texts {
			got, err := n.text(text)
			if err != nil {
				t.Fatal(err)
			}
			if got != want[j] {
				a, b := strings.Split(fmt.Sprintf("%+q", got), "a"), strings.Split(fmt.Sprintf("%+q", want[j]), "a")
				t.Errorf("%s: block %d: %s", parts[i], j, firstDifference(a, b))
			}
		}
	}
}

func firstDifference(got, want []string) string {
	for i := range min(len(got), len(want)) {
		if got[i] != want[i] {
			return fmt.Sprintf("at %d: got %+q, want %+q", i, got[i:min(len(got), i+3)], want[i:min(len(want), i+3)])
		}
	}
	return cmp.Diff(len(got), len(want))
}

// A listModel keeps the words that it is given.
type listModel struct{ words []string }

func (m *listModel) encode(_ *call, word piece) { m.words = append(m.words, word.text) }

func wordsOf(t *testing.T, splitters []splitter, text string) []string {
	t.Helper()
	m := &listModel{words: []string{}}
	c := &call{ctx: t.Context()}
	c.bounds(len(text))
	(&pipeline{splitters: splitters, model: m}).encode(c, piece{text: text, first: true})
	if c.err != nil {
		t.Fatal(c.err)
	}
	return m.words
}
