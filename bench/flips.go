package bench

import "math"

// flips is the share of items that two models answer differently, right or wrong: it agrees better with what a reader notices than accuracy
// does (arXiv 2407.09141). NaN for texts, which have no answers.
func flips(dense, pruned *Result) float64 {
	if dense.Kind == Rolling || dense.Kind == Chunked || len(dense.Items) == 0 {
		return math.NaN()
	}
	changed := 0
	for i := range dense.Items {
		a, b := &dense.Items[i], &pruned.Items[i]
		var same bool
		switch {
		case dense.Kind == Generate:
			same = a.Said == b.Said
		case dense.Kind == Cloze:
			same = a.Greedy[0] == b.Greedy[0]
		case dense.Primary == "acc_norm":
			same = a.ChosenNorm == b.ChosenNorm
		default:
			same = a.Chosen == b.Chosen
		}
		if !same {
			changed++
		}
	}
	return float64(changed) / float64(len(dense.Items))
}
