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

const preDefault = "default" // how some writers spell that they do not know

var (
	oneDigit    = preRecipe{patterns: []string{`\p{N}`, patternGPT2}}
	gpt2Plain   = preRecipe{patterns: []string{patternGPT2}}
	llama3      = preRecipe{patterns: []string{patternLlama3}, ignoreMerges: true, bos: true}
	threeDigits = preRecipe{patterns: []string{patternLlama3}}
	qwen2       = preRecipe{patterns: []string{patternQwen2}, composed: true}
	unsaid      = preRecipe{patterns: []string{`[\p{P}\$\+<=>\^~\|]+`, patternGPT2, `\p{N}+`, `[0-9][0-9][0-9]`}} // as llama.cpp's llm_tokenizer_bpe
	bloom       = preRecipe{patterns: []string{` ?[^(\s|[.,!?\u2026\u3002\uff0c\u3001\u0964\u06d4\u060c])]+`}}
)

var gpt2Pre = map[string]preRecipe{
	"gpt-2": gpt2Plain, "phi-2": gpt2Plain, "jais": gpt2Plain, "jina-en": gpt2Plain, "roberta-bpe": gpt2Plain,
	"exaone4": gpt2Plain, "trillion": gpt2Plain, "granite-docling": gpt2Plain,
	"olmo": {patterns: []string{patternGPT2}, composed: true}, "mpt": {patterns: []string{patternGPT2}, composed: true},
	"starcoder": oneDigit, "refact": oneDigit, "smollm": oneDigit, "codeshell": oneDigit, "exaone": oneDigit,
	"minerva-7b": oneDigit, "command-r": {patterns: oneDigit.patterns, composed: true},
	"llama3": llama3, "llama-v3": llama3, "llama-bpe": llama3, "falcon3": llama3, "pixtral": llama3, "lfm2": llama3,
	"dbrx": threeDigits, "smaug-bpe": threeDigits, "chatglm-bpe": threeDigits, "glm4": threeDigits,
	"qwen2": qwen2, "deepseek-r1-qwen": qwen2, "stablelm2": {patterns: []string{patternQwen2}},
	"tekken": {patterns: []string{patternTekken}, ignoreMerges: true, bos: true},
	"gpt-4o": {patterns: []string{patternO200k}}, "llama4": {patterns: []string{patternO200k}},
	"falcon": {patterns: []string{"[\\p{P}\\$\\+<=>\\^~\\|`]+", patternGPT2, `[0-9][0-9][0-9]`}},
	"deepseek-llm": {patterns: []string{`[\r\n]`, deepseekLetters, `\s?[!-/:-~\uff01-\uff0f\uff1a-\uff5e\u2018-\u201f\u3000-\u3002]+`, `\s+$`,
		`[\u4e00-\u9fa5\u0800-\u4e00\uac00-\ud7ff]+`, `\p{N}`}},
	"deepseek-coder": {patterns: []string{`[\r\n]`, `\s?\p{L}+`, `\s?\p{P}+`, `[\u4e00-\u9fa5\u0800-\u4e00\uac00-\ud7ff]+`, `\p{N}`}},
	"deepseek-v3": {patterns: []string{`\p{N}{1,3}`, `[\u4e00-\u9fa5\u3040-\u309f\u30a0-\u30ff]+`,
		patternDeepseek3}},
	preDefault: unsaid, "": unsaid,
	"bloom": bloom, "poro-chat": bloom, "gpt3-finnish": bloom,
}

// deepseekLetters: letters that have case. Written in escapes, because some of them change when text is composed.
const deepseekLetters = `\s?[` +
	`A-Za-z\u00b5\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u01ba\u01bc-\u01bf\u01c4-\u0293\u0295-\u02af\u0370-\u0373\u0376\u0377` +
	`\u037b-\u037d\u037f\u0386\u0388-\u038a\u038c\u038e-\u03a1\u03a3-\u03f5\u03f7-\u0481\u048a-\u052f\u0531-\u0556` +
	`\u10a0-\u10c5\u13a0-\u13f5\u13f8-\u13fd\u1c90-\u1cba\u1cbd-\u1cbf\u1d00-\u1d2b\u1d6b-\u1d77\u1d79-\u1d9a\u1e00-\u1f15` +
	`\u1f18-\u1f1d\u1f20-\u1f45\u1f48-\u1f4d\u1f50-\u1f57\u1f59\u1f5b\u1f5d\u1f5f-\u1f7d\u1f80-\u1fb4\u1fb6-\u1fbc\u1fbe` +
	`\u1fc2-\u1fc4\u1fc6-\u1fcc\u1fd0-\u1fd3\u1fd6-\u1fdb\u1fe0-\u1fec\u1ff2-\u1ff4\u1ff6-\u1ffc\u2102\u2107\u210a-\u2113` +
	`\u2115\u2119-\u211d\u2124\u2126\u2128\u212a-\u212d\u212f-\u2134\u2139\u213c-\u213f\u2145-\u2149\u214e\u2183\u2184` +
	`\u2c00-\u2c7b\u2c7e-\u2ce4\u2ceb-\u2cee\u2cf2\u2cf3\ua640-\ua66d\ua680-\ua69b\ua722-\ua76f\ua771-\ua787\ua78b-\ua78e` +
	`\uab70-\uabbf\ufb00-\ufb06\ufb13-\ufb17\uff21-\uff3a\uff41-\uff5a\x{10400}-\x{1044f}\x{104b0}-\x{104d3}` +
	`\x{104d8}-\x{104fb}\x{10c80}-\x{10cb2}\x{10cc0}-\x{10cf2}\x{118a0}-\x{118df}\x{1e900}-\x{1e943}` +
	`]+`

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
