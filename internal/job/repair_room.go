package job

import (
	"cmp"

	"avssnative/calib"
	"avssnative/engine"
	"avssnative/prune"
)

// A job that repairs scores first, which takes minutes or hours, and a repair that then does not fit into what the process may hold would lose
// them. So it is asked before anything is computed.

// RepairsFit returns why repairs with so much text would not fit, one a set of units, of which each is kept, or nil.
func (j *Job) RepairsFit(drops []engine.Drop, method prune.RepairMethod, text calib.Options) error {
	if !j.Repairs(method) {
		return nil
	}
	fit, _ := (&calib.Text{Sequences: j.lengths(text)}).Split()
	o := prune.RepairOptions{Method: method, Linear: j.Linear, Fit: fit.Sequences}
	if j.parted() {
		o.Parts = j.shared.Part().Count
	}
	return prune.RepairFits(j.Model, drops, o)
}

// lengths stand for a text that has not been read: sequences as many and as long as it is cut into.
func (j *Job) lengths(text calib.Options) (all []engine.Sequence) {
	tokens, length := cmp.Or(text.Tokens, calib.DefaultTokens), j.length(text.Length)
	for at := 0; at < tokens; at += length {
		all = append(all, engine.Sequence{IDs: make([]int32, min(length, tokens-at))})
	}
	return all
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
