package bench

import (
	"fmt"
	"strings"
)

// rollingMetrics are what a rolled document reports. The first three are lm-evaluation-harness's; the last is per token, which only
// compares models that share a tokenizer.
var rollingMetrics = []string{"word_perplexity", "byte_perplexity", "bits_per_byte", "token_perplexity"}

// ChunkPerplexity is perplexity over WikiText-2's test split as the quantisation and pruning papers measure it (GPTQ, SparseGPT,
// ShortGPT): the split's lines joined by two line ends, encoded once, cut into chunks of size tokens; every token of a chunk but its
// first is scored; what does not fill a chunk is left out. The name carries the size: figures of different sizes do not compare.
func ChunkPerplexity(size int) Task {
	return Task{Name: fmt.Sprintf("chunk-%d", size), Version: "1.0", Kind: Chunked, Metrics: []string{"perplexity"}, Primary: "perplexity",
		Papers: wikitextPapers, Files: wikitextFiles, Chunk: size,
		Read: Text(func(text string, _ int) ([]Item, error) { return wholeText(joinLines(text)), nil })}
}

// LlamaCppPerplexity is perplexity as llama.cpp's tool measures it: the raw text without the line end it ends with, encoded once, cut into
// chunks of size tokens; the first of each is replaced by BOS where the tokenizer adds one; rows from size/2 on predict what is scored.
func LlamaCppPerplexity(size int) Task {
	return Task{Name: fmt.Sprintf("llamacpp-%d", size), Version: "1.0", Kind: Chunked, Metrics: []string{"perplexity"}, Primary: "perplexity",
		Papers: wikitextPapers, Files: wikitextFiles, Chunk: size, Half: true,
		Read: Text(func(text string, _ int) ([]Item, error) {
			return wholeText(strings.TrimSuffix(text, "\n")), nil
		})}
}

func wholeText(text string) []Item {
	if trim(text) == "" {
		return nil
	}
	return []Item{Document(text)}
}

// joinLines makes of a file what joining the dataset's rows by two line ends makes: a row is a line with its end, or nothing for a blank
// line.
func joinLines(text string) string {
	lines := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
	for i, line := range lines {
		if trim(line) == "" {
			lines[i] = ""
		} else {
			lines[i] = line + "\n"
		}
	}
	return strings.Join(lines, "\n\n")
}

// chunk is a run of tokens of which those from score on are scored.
type chunk struct {
	ids   []int32
	score int
}

// chunks cuts ids into whole chunks.
func chunks(ids []int32, size int, half bool, bos int32, replace bool) []chunk {
	var all []chunk
	for start := 0; start+size <= len(ids); start += size {
		c := chunk{ids: append([]int32{}, ids[start:start+size]...), score: 1}
		if half {
			c.score = size/2 + 1
			if replace {
				c.ids[0] = bos
			}
		}
		all = append(all, c)
	}
	return all
}

// window is what one step of rolling takes in, and what it scores.
type window struct{ context, scored []int32 }

// rolling parts a document's tokens into windows that do not overlap in what they score, as lm-evaluation-harness's loglikelihood_rolling
// does with a context of one: the first is led by the prefix token; a full later one by the token before it; the last, which is seldom
// full, by as many tokens as still fit. No window has more than length input tokens.
func rolling(ids []int32, prefix int32, length int) []window {
	if len(ids) == 0 {
		return nil
	}
	first := min(length, len(ids))
	all := []window{{[]int32{prefix}, ids[:first]}}
	for done := first; done < len(ids); {
		end := min(done+length, len(ids))
		all = append(all, window{ids[end-length-1 : done], ids[done:end]})
		done = end
	}
	return all
}
