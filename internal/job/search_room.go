package job

import (
	"slices"

	"avssnative/avss"
	"avssnative/calib"
	"avssnative/engine"
	"avssnative/prune"
)

// SearchesFit returns why one of the removal metrics wanted, searches among them, would not fit into what the process may hold, or nil. They come
// behind the scores, so it is asked before anything is computed.
func (j *Job) SearchesFit(s Scoring, text calib.Options) error {
	whole := scored(j.lengths(text))
	o := avss.Options{Rounds: s.Greedy, Keep: s.Keep, Halves: j.Unit == prune.Sublayer, Search: s.Search}
	var asked []*avss.Search
	for _, d := range avss.Metrics(avss.Removal) {
		if !slices.Contains(s.Metrics, d.Name) || slices.Contains(asked, d.Search) {
			continue
		}
		asked = append(asked, d.Search)
		if err := j.searchFits(d, whole, o); err != nil {
			return err
		}
	}
	return nil
}

func (j *Job) searchFits(d avss.Definition, whole []engine.Sequence, o avss.Options) error {
	switch {
	case o.Halves && d.Search.Streams: // is refused where it begins
		return nil
	case d.Name == prune.SearchName:
		if fit, held := (&calib.Text{Sequences: whole}).Split(); len(held.Sequences) > 0 {
			whole = fit.Sequences
		}
		return prune.SearchFits(j.Model, scored(whole), o)
	case d.Search.Walk > 0:
		tokens := 0
		for _, s := range whole {
			tokens += len(s.IDs)
		}
		most, _, err := j.Model.StreamsTake(min(tokens, d.Search.Walk))
		if err != nil || most == 0 {
			return err
		}
		return j.Model.Fits(most, "to hold the dense model's streams for "+d.Name)
	}
	// A removal is compared with the dense model, or in rounds with nothing.
	p := engine.Pass{Sequences: whole, Variants: []engine.Drop{nil, engine.Layers(j.Model.Layers() - 1)}, Diverge: !d.Rounds}
	return j.Model.RunFits(p, engine.Later)
}
