package bench

import "slices"

const (
	// constantShare of all items answered in the same way is a constant answer: what a pruned model that reads nothing gives, which on a set
	// with more of one answer looks like knowledge.
	constantShare = 0.95
	// constantItems is how many items such a statement takes.
	constantItems = 20
)

// Answers is how often each choice was taken: the histogram of what a model answers, by the choices' places.
type Answers struct {
	Choices []string  // what they say, where it is the same in all items; nil where it is not
	Shares  []float64 // of the items, by choice
	Right   []float64 // of the items, by the choice that is right
}

// Answers counts what was answered to questions with choices; false for other tasks.
func (r *Result) Answers() (Answers, bool) {
	a := Answers{Choices: r.Choices}
	if r.Kind != Choice || len(r.Items) == 0 {
		return a, false
	}
	most := 0
	for i := range r.Items {
		most = max(most, len(r.Items[i].LogLikelihoods))
	}
	said, right := make([]int, most), make([]int, most)
	for i := range r.Items {
		item := &r.Items[i]
		chosen := item.Chosen
		if r.Primary == "acc_norm" {
			chosen = item.ChosenNorm
		}
		said[chosen]++
		right[item.Gold]++
	}
	for choice := range said {
		a.Shares = append(a.Shares, float64(said[choice])/float64(len(r.Items)))
		a.Right = append(a.Right, float64(right[choice])/float64(len(r.Items)))
	}
	return a, true
}

// Constant is the choice that nearly all of so many items were answered with although it is not right as often; false where there is none.
func (a Answers) Constant(items int) (choice int, constant bool) {
	if items < constantItems || len(a.Shares) == 0 {
		return 0, false
	}
	choice = slices.Index(a.Shares, slices.Max(a.Shares))
	return choice, a.Shares[choice] >= constantShare && a.Right[choice] < constantShare
}

// sameChoices are the choices' texts where all items of a task have the same.
func (p *prepared) sameChoices() []string {
	if p.Task.Kind != Choice || len(p.items) == 0 {
		return nil
	}
	var first []string
	for i := range p.items {
		var texts []string
		for _, pair := range p.items[i].Pairs {
			texts = append(texts, trim(pair.Continuation))
		}
		if i == 0 {
			first = texts
		} else if !slices.Equal(first, texts) {
			return nil
		}
	}
	if len(slices.Compact(slices.Sorted(slices.Values(first)))) < len(first) {
		return nil // what differs are the contexts
	}
	return first
}
