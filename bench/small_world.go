package bench

import "avssnative/internal/smallworld"

// Small World is this project's own: stories with questions about them, and reviews with their sentiment, made by a generator and held
// apart from its training side. The files are inside the program.
func init() {
	Register(Task{Name: "small_world_qa", Group: "small_world", Version: "1.0", Primary: "acc_norm",
		Files: []string{"small_world/qa.jsonl"}, Inside: smallworld.QA})
	Register(Task{Name: "small_world_sentiment", Group: "small_world", Version: "1.0",
		Files: []string{"small_world/sentiment.jsonl"}, Inside: smallworld.Sentiment})
	Register(Task{Name: "small_world_stories", Group: "small_world", Version: "1.0", Kind: Rolling, LeadOnce: true,
		Files: []string{"small_world/stories.txt"}, Read: Documents(smallworld.EndOfText, 0), Inside: smallworld.Stories})
}
