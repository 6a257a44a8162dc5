// How the byte-level vocabularies of GGUF split text: tokenizer.ggml.pre names a recipe, the patterns of which are those of the models'
// own tokenizer files.
package tokenizer

import (
	"maps"
	"slices"
	"strings"
)

type preRecipe struct {
	patterns     []string // applied one after the other
	ignoreMerges bool     // a word that is a token is that token
	composed     bool     // text is put into NFC first
	bos          bool     // a first token is added unless the file says otherwise
}

var (
	oneDigit    = preRecipe{patterns: []string{`\p{N}`, patternGPT2}}
	gpt2Plain   = preRecipe{patterns: []string{patternGPT2}}
	llama3      = preRecipe{patterns: []string{patternLlama3}, ignoreMerges: true, bos: true}
	threeDigits = preRecipe{patterns: []string{patternLlama3}}
	qwen2       = preRecipe{patterns: []string{patternQwen2}, composed: true}
	bloom       = preRecipe{patterns: []string{` ?[^(\s|[.,!?…。，、।۔،])]+`}}
)

var gpt2Pre = map[string]preRecipe{
	"gpt-2": gpt2Plain, "phi-2": gpt2Plain, "mpt": gpt2Plain, "jais": gpt2Plain, "jina-en": gpt2Plain, "roberta-bpe": gpt2Plain,
	"exaone4": gpt2Plain, "trillion": gpt2Plain, "granite-docling": gpt2Plain,
	"olmo":      {patterns: []string{patternGPT2}, composed: true},
	"starcoder": oneDigit, "refact": oneDigit, "command-r": oneDigit, "smollm": oneDigit, "codeshell": oneDigit, "exaone": oneDigit,
	"minerva-7b": oneDigit,
	"llama3":     llama3, "llama-v3": llama3, "llama-bpe": llama3, "falcon3": llama3, "pixtral": llama3, "lfm2": llama3,
	"dbrx": threeDigits, "smaug-bpe": threeDigits, "chatglm-bpe": threeDigits, "glm4": threeDigits,
	"qwen2": qwen2, "deepseek-r1-qwen": qwen2, "stablelm2": {patterns: []string{patternQwen2}},
	"tekken": {patterns: []string{patternTekken}, ignoreMerges: true, bos: true},
	"gpt-4o": {patterns: []string{patternO200k}}, "llama4": {patterns: []string{patternO200k}},
	"falcon": {patterns: []string{"[\\p{P}\\$\\+<=>\\^~\\|`]+", patternGPT2, `[0-9][0-9][0-9]`}},
	"deepseek-llm": {patterns: []string{`[\r\n]`, deepseekLetters, `\s?[!-/:-~！-／：-～‘-‟　-。]+`, `\s+$`,
		`[一-龥ࠀ-一가-퟿]+`, `\p{N}+`}},
	"deepseek-coder": {patterns: []string{`[\r\n]`, `\s?\p{L}+`, `\s?\p{P}+`, `[一-龥ࠀ-一가-퟿]+`, `\p{N}`}},
	"deepseek-v3": {patterns: []string{`\p{N}{1,3}`, `[一-龥぀-ゟ゠-ヿ]+`,
		"[!\"#$%&'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+|[^\\r\\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+| ?[\\p{P}\\p{S}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"}},
	"bloom": bloom, "poro-chat": bloom, "gpt3-finnish": bloom,
}

const deepseekLetters = `\s?[A-Za-zµÀ-ÖØ-öø-ƺƼ-ƿǄ-ʓʕ-ʯͰ-ͳͶͷͻ-ͽͿΆΈ-ΊΌΎ-ΡΣ-ϵϷ-ҁҊ-ԯԱ-ՖႠ-ჅᎠ-Ᏽᏸ-ᏽᲐ-ᲺᲽ-Ჿᴀ-ᴫᵫ-ᵷᵹ-ᶚḀ-ἕἘ-Ἕἠ-ὅὈ-Ὅὐ-ὗὙὛὝὟ-ώᾀ-ᾴᾶ-ᾼιῂ-ῄῆ-ῌῐ-ΐῖ-Ίῠ-Ῥῲ-ῴῶ-ῼℂℇℊ-ℓℕℙ-ℝℤΩℨK-ℭℯ-ℴℹℼ-ℿⅅ-ⅉⅎↃↄⰀ-ⱻⱾ-ⳤⳫ-ⳮⳲⳳꙀ-ꙭꚀ-ꚛꜢ-ꝯꝱ-ꞇꞋ-ꞎꭰ-ꮿﬀ-ﬆﬓ-ﬗＡ-Ｚａ-ｚ𐐀-𐑏𐒰-𐓓𐓘-𐓻𐲀-𐲲𐳀-𐳲𑢠-𑣟𞤀-𞥃]+`

func knownPre() string { return strings.Join(slices.Sorted(maps.Keys(gpt2Pre)), ", ") }

func (p preRecipe) splitters(prefixSpace bool) ([]splitter, error) {
	var out []splitter
	for _, pattern := range p.patterns {
		s, err := newPatternSplit(pattern, isolated, false)
		if err != nil {
			return nil, err
		}
		out = append(out, s)
	}
	return append(out, byteLevel{AddPrefixSpace: prefixSpace}), nil
}
