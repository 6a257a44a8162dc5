package bench

import "fmt"

// A task of one's own that asks for answers in the model's own words: JSON lines {"prompt": …, "until": [ … ], "answers": [ … ], "match": …}.
// An answer ends before the first string of until, a line's end where there is none. match is how it is judged: exact (without the white
// space around it, it is one of the answers), loose (so too, whatever the letter case and punctuation), contains (one of the answers stands
// in it, whatever the letter case); exact where nothing is said.

const ownMetric = "exact_match,match"

// asks makes the item of such a line.
func asks(text string, until, answers []string, match string) (Item, error) {
	item, err := prompt(text, answers...)
	if err != nil {
		return Item{}, err
	}
	if item.Match = match; item.Match == "" {
		item.Match = "exact"
	}
	if _, known := ownMatches[item.Match]; !known {
		return Item{}, fmt.Errorf("match %q: want exact, loose or contains", match)
	}
	if item.Until = until; item.Until == nil {
		item.Until = []string{"\n"}
	}
	return item, nil
}

var ownMatches = map[string]func(said string, answers []string) float64{
	"exact":    exactMatch{}.mark,
	"loose":    exactMatch{letterCase: true, punctuate: true}.mark,
	"contains": contains,
}

// judgeOwn judges by the item's own way to match.
func judgeOwn(item Item, said string) map[string]float64 {
	return map[string]float64{ownMetric: ownMatches[item.Match](trim(said), item.Answers)}
}
