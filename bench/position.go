package bench

import "fmt"

// PositionPerplexity is perplexity of tokens far into a text: WikiText-2's test split is cut into chunks of size tokens as for ChunkPerplexity, and
// those of a chunk's second half are scored. Sizes that double, position-512, position-1024 and so on, say what a model's perplexity is by
// position: each names the positions from its half to itself. A size that the model has no positions for is an error.
func PositionPerplexity(size int) Task {
	task := ChunkPerplexity(size)
	task.Name, task.Late = fmt.Sprintf("position-%d", size), true
	return task
}

// late scores the second half of every chunk alone.
func late(all []chunk) []chunk {
	for i := range all {
		all[i].score = len(all[i].ids) / 2
	}
	return all
}
