package bench

import (
	"errors"

	"avssnative/internal/smallworld"
)

// Small World is this project's own: stories with questions about them, and reviews with their sentiment, made by a generator and held
// apart from its training side. The files are inside the program.
func init() {
	choices := rows(func(row struct {
		Context *string
		Choices []string
		Gold    *int
	}) (Item, error) {
		if row.Context == nil || row.Gold == nil {
			return Item{}, errors.New("no context or no gold")
		}
		return choose(*row.Context, row.Choices, *row.Gold)
	})
	register(Task{Name: "small_world_qa", Version: "1.0", Metrics: []string{"acc", "acc_norm"}, Primary: "acc_norm",
		Files: []string{"small_world/qa.jsonl"}, read: choices})
	register(Task{Name: "small_world_sentiment", Version: "1.0", Metrics: []string{"acc", "acc_norm"}, Primary: "acc",
		Files: []string{"small_world/sentiment.jsonl"}, read: choices})
	register(Task{Name: "small_world_stories", Version: "1.0", Kind: Rolling, LeadOnce: true, Metrics: rollingMetrics, Primary: "token_perplexity",
		Files: []string{"small_world/stories.txt"}, read: documents(smallworld.EndOfText, 0)})
	groups["small_world"] = []string{"small_world_qa", "small_world_sentiment", "small_world_stories"}
}
