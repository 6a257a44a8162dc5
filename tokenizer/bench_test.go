//go:build unix

package tokenizer

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"avssnative/internal/need"
)

// benchText is 1 MB of English reviews, or the golden texts over and over where the data is absent.
func benchText(b *testing.B) string {
	const size = 1 << 20
	var text strings.Builder
	if found, err := os.ReadFile(filepath.Join(need.Data(b, "eval"), "sst2", "train.tsv")); err == nil {
		text.Write(found[:min(len(found), size)])
	}
	for text.Len() < size {
		for _, c := range goldenCases(b, "gpt2") {
			text.WriteString(c.Text)
			text.WriteByte('\n')
		}
	}
	return strings.ToValidUTF8(text.String()[:size], "")
}

func BenchmarkEncode(b *testing.B) {
	text := benchText(b)
	for _, c := range []struct{ name, path string }{
		{"gpt2", "tokenizers/gpt2"}, {"neox", "tokenizers/neox-pythia"}, {"mistral", "tokenizers/mistral"},
		{"mistral-model", "tokenizers/mistral/tokenizer.model"}, {"llama-spm-gguf", "tokenizers/llama.cpp-vocab/ggml-vocab-llama-spm.gguf"},
		{"starcoder-gguf", "tokenizers/llama.cpp-vocab/ggml-vocab-starcoder.gguf"}, {"falcon-gguf",
			"tokenizers/llama.cpp-vocab/ggml-vocab-falcon.gguf"}, {"deepseek-gguf", "tokenizers/llama.cpp-vocab/ggml-vocab-deepseek-llm.gguf"},
		{"bert-gguf", "tokenizers/llama.cpp-vocab/ggml-vocab-bert-bge.gguf"},
	} {
		b.Run(c.name, func(b *testing.B) { benchEncode(b, open(b, need.Data(b, c.path)), text) })
	}
	for _, name := range smallNames {
		b.Run("small-"+name, func(b *testing.B) { benchEncode(b, small(b, name), text) })
	}
	tok, err := readSentencePiece(gunzip(b, "testdata/sentencepiece/unigram-nfkc.model.gz"), "unigram-nfkc")
	if err != nil {
		b.Fatal(err)
	}
	b.Run("small-unigram-model", func(b *testing.B) { benchEncode(b, tok, text) })
}

// BenchmarkMerge is BPE without any help from splitting or remembering words: one word of 64 kB.
func BenchmarkMerge(b *testing.B) {
	text := benchText(b)[:1<<16]
	tok := open(b, need.Data(b, "tokenizers/mistral"))
	words := tok.words.(*spacedBPE)
	slow := *tok
	slow.words = &pipeline{model: words.words.model}
	benchEncode(b, &slow, text)
}

// cpuTime is what the process has used; on a machine shared with others it tells more than the clock.
func cpuTime() time.Duration {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		return 0
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

func benchEncode(b *testing.B, tok *Tokenizer, text string) {
	if _, err := tok.Encode(text, true); err != nil { // fills the cache
		b.Fatal(err)
	}
	b.SetBytes(int64(len(text)))
	count := 0
	start := cpuTime()
	for b.Loop() {
		count++
		if _, err := tok.Encode(text, true); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(count*len(text))/1e6/(cpuTime()-start).Seconds(), "MB/cpu-s")
}

func BenchmarkDecode(b *testing.B) {
	text := benchText(b)
	for _, name := range []string{"gpt2", "mistral"} {
		tok := open(b, need.Data(b, "tokenizers/"+name))
		ids, err := tok.Encode(text, false)
		if err != nil {
			b.Fatal(err)
		}
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(text)))
			for b.Loop() {
				if _, err := tok.Decode(ids, true); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkOpen(b *testing.B) {
	for _, path := range []string{"tokenizers/gpt2", "tokenizers/mistral/tokenizer.model", "tokenizers/llama.cpp-vocab/ggml-vocab-llama-spm.gguf"} {
		path := need.Data(b, path)
		b.Run(filepath.Base(path), func(b *testing.B) {
			for b.Loop() {
				if _, err := Open(path); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
