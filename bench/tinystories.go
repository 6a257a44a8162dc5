package bench

import "avssnative/internal/smallworld"

// TinyStories (Eldan and Li, arXiv 2305.07759), rolled. The demo model has seen the first 2,100 stories of the file, so what is scored
// begins behind them.
func init() {
	register(Task{Name: "tinystories_rolling", Version: "1.0", Kind: Rolling, Metrics: rollingMetrics, Primary: "token_perplexity",
		Files: []string{"tinystories/stories.txt"}, read: documents(smallworld.EndOfText, 2100)})
}
