package job

import (
	"cmp"

	"avssnative/calib"
	"avssnative/engine"
	"avssnative/prune"
)

// A job that repairs scores first, which takes minutes or hours, and a repair that then does not fit into what the process may hold would lose
// them. So it is asked before anything is computed.

// RepairFits returns why a repair with so much text would not fit, or nil.
func (j *Job) RepairFits(drop engine.Drop, method prune.RepairMethod, text calib.Options) error {
	if !j.Repairs(method) {
		return nil
	}
	tokens, length := cmp.Or(text.Tokens, calib.DefaultTokens), j.length(text.Length)
	var fit []engine.Sequence
	for at := 0; at < tokens; at += 2 * length { // one sequence of two is judged by
		fit = append(fit, engine.Sequence{IDs: make([]int32, min(length, tokens-at))})
	}
	o := prune.RepairOptions{Method: method, Linear: j.Linear, Fit: fit}
	if j.parted() {
		o.Parts = j.shared.Part().Count
	}
	return prune.RepairFits(j.Model, drop, o)
}

// Widest is the set of so many layers whose repair takes the most: it begins as early as it may, and has as many gaps as there can be. It stands for
// a set that nobody knows yet; where not even the number is known, which is 0, for any.
func (j *Job) Widest(number int, protect prune.Protect) engine.Drop {
	if number <= 0 {
		number = (j.Model.Layers() + 1) / 2
	}
	first, last := protect.First, j.Model.Layers()-protect.Last
	var layers []int
	for from := first; from < min(first+2, last); from++ {
		for l := from; l < last && len(layers) < number; l += 2 {
			layers = append(layers, l)
		}
	}
	return engine.Layers(layers...)
}
