package prune

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"avssnative/avss"
	"avssnative/engine"
	"avssnative/failure"
)

// SearchName is the search's name among the metrics. It is here because what it measures are repaired models.
const SearchName = "search"

func init() {
	avss.Register(avss.Definition{
		Name:  SearchName,
		About: "the set of layers that costs least, measured with its gaps bridged; scores only propose",
		Unit:  "layers gone",
		Papers: []avss.Citation{
			{ArXiv: "2402.09025", Authors: "Song et al.", Year: 2024,
				Title: "SLEB: Streamlining LLMs through Redundancy Verification and Elimination of Transformer Blocks"},
			{ArXiv: "2410.14649", Authors: "Sieberling et al.", Year: 2024, Title: "EvoPress: Accurate Dynamic Model Compression via Evolutionary Search"},
		},
		Rounds: true,
		Search: &avss.Search{Name: "search for sets", Run: searchScores, Streams: true},
	})
}

// searchScores is the search as a metric.
func searchScores(ctx context.Context, r avss.Runner, p engine.Pass, o avss.Options) ([]avss.Scores, error) {
	m, able := r.(Searchable)
	if !able {
		return nil, failure.Unsupported.Errorf("prune: search: it bridges gaps by the streams of the model, which this runner does not have: score layers")
	}
	layers := m.Layers()
	text, options, err := searchOf(layers, p, o)
	if err != nil {
		return nil, err
	}
	found, err := Search(ctx, m, text, options)
	if err != nil {
		return nil, err
	}
	return []avss.Scores{found.scores(layers, text, options)}, nil
}

// searchOf is the text that sets are compared on, and how they are sought, as a metric.
func searchOf(layers int, p engine.Pass, o avss.Options) (text []engine.Sequence, options SearchOptions, err error) {
	compared, fit := parted(pieces(p.Sequences), o.Search.Tokens)
	options = SearchOptions{Counts: o.Search.Counts, Keep: o.Keep, Objective: Objective(o.Search.Objective), Repair: RepairLstsq, Fit: fit,
		Beam: o.Search.Beam, Doubt: searchDoubt, Memory: p.Memory, Progress: p.Progress, Notice: o.Search.Notice}
	if options.Objective == ObjectiveTask {
		if o.Search.Questions == nil {
			return nil, options, errors.New("prune: search: objective task: there are no questions")
		}
		options.Questions, compared = o.Search.Questions, o.Search.Questions.Sequences
		options.Fit = bridging(pieces(p.Sequences))
	}
	if o.Search.Plain {
		options.Repair = RepairNone
	}
	if len(options.Counts) == 0 {
		options.Counts = []int{cmp.Or(o.Rounds, avss.Quarter(layers))}
	}
	options.Counts = slices.Compact(slices.Sorted(slices.Values(options.Counts)))
	for _, set := range o.Search.Proposals {
		options.Proposals = append(options.Proposals, engine.Layers(set...))
	}
	return compared, options, nil
}

const (
	// piece is how many tokens the search's sequences have at most: what costs far too much is seen to on a few of them.
	piece = 128
	// bridgeTokens are those that gaps are bridged by at most: several for every dimension of the stream, of which the memory holds all depths.
	bridgeTokens = 8192
	// searchDoubt is the doubt with which the metric leaves sets off.
	searchDoubt = 0.001
)

// pieces are a text in short sequences.
func pieces(text []engine.Sequence) (all []engine.Sequence) {
	for _, s := range text {
		for at := 0; at+1 < len(s.IDs); at += piece {
			if ids := s.IDs[at:min(at+piece, len(s.IDs))]; len(ids) > 1 { // of one token nothing can be scored
				all = append(all, engine.Sequence{IDs: ids, ScoreFrom: 1, ScoreTo: len(ids)})
			}
		}
	}
	return all
}

// parted is the part of a text that sets are compared on, so many tokens, 0 being all, and no more than half of it; and what gaps are bridged by.
// One sequence alone is both.
func parted(text []engine.Sequence, tokens int) (compared, fit []engine.Sequence) {
	most := max(1, len(text)/2)
	sum := 0
	for i, s := range text {
		if sum += len(s.IDs); i == most || tokens > 0 && sum > tokens && i > 0 {
			most = i
			break
		}
	}
	fit = bridging(text[min(most, len(text)):])
	return text[:min(most, len(text))], fit
}

// bridging is as much of a text as gaps are bridged by; nil where that is none.
func bridging(text []engine.Sequence) (fit []engine.Sequence) {
	sum := 0
	for _, s := range text {
		if sum += len(s.IDs); sum > bridgeTokens {
			break
		}
		fit = append(fit, s)
	}
	return fit
}

// scores are a layer's the least number of layers whose best set holds it; infinite where none does.
func (s *Searched) scores(layers int, text []engine.Sequence, o SearchOptions) avss.Scores {
	out := avss.Scores{Metric: SearchName, Values: make(avss.Values, layers), Tau: avss.Value(math.NaN()), Sequences: int64(len(text)),
		Sets: s.Sets, Proposed: s.Proposed}
	for l := range out.Values {
		out.Values[l] = math.Inf(1)
		for _, set := range s.Sets {
			if slices.Contains(set.Layers, l) {
				out.Values[l] = float64(len(set.Layers))
				break
			}
		}
	}
	d, err := avss.Lookup(SearchName)
	if err != nil {
		panic("prune: search: " + err.Error())
	}
	for _, c := range d.Papers {
		out.References = append(out.References, c.ArXiv)
	}
	bridged := "with their gaps bridged"
	if o.Repair == RepairNone {
		bridged = "as they are"
	}
	on := fmt.Sprintf("%d tokens", scoredTokens(text))
	if o.Objective == ObjectiveTask {
		on = fmt.Sprintf("%d questions of %s, which judge nothing", len(o.Questions.Ends), o.Questions.Task)
	}
	out.Notes = []string{fmt.Sprintf("the score is the least number of layers whose best set holds the layer; %d sets were looked at, "+
		"%d of them on all of %s, %s", s.Tried, s.Whole, on, bridged),
		fmt.Sprintf("a set that is among the best may have been left off early with a probability of %g each time that sets were compared", searchDoubt)}
	for i, set := range s.Sets {
		words := make([]string, len(set.Layers))
		for k, l := range set.Layers {
			words[k] = fmt.Sprint(l)
		}
		note := fmt.Sprintf("without %s: %s (found by %s)", strings.Join(words, ","), set.Price(), set.By)
		if next := s.Next[i]; len(next) > 1 {
			note += fmt.Sprintf("; the next best set costs %.4f", float64(next[1].Cost))
		}
		out.Notes = append(out.Notes, note)
	}
	return out
}
