package bench

import (
	"avssnative/internal/smallworld"

	"avssnative/avss"
)

// TinyStories (Eldan and Li, arXiv 2305.07759), rolled. The demo model has seen the first 2,100 stories of the file, so what is scored
// begins behind them.
func init() {
	Register(Task{Name: "tinystories_rolling", Version: "1.0", Kind: Rolling, Metrics: rollingMetrics, Primary: "token_perplexity",
		Papers: []avss.Citation{{ArXiv: "2305.07759", Authors: "Eldan and Li", Year: 2023,
			Title: "TinyStories: How Small Can Language Models Be and Still Speak Coherent English?"}},
		Files: []string{"tinystories/stories.txt"}, Read: Documents(smallworld.EndOfText, 2100)})
}
