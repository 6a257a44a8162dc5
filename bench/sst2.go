package bench

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"avssnative/avss"
)

// SST-2 (Socher et al., EMNLP 2013), as GLUE asks it: lines of a sentence, a tab, and 0 for negative or 1 for positive.
func init() {
	Register(Task{Name: "sst2", Version: "1.0", Metrics: []string{"acc"}, Primary: "acc",
		Papers: []avss.Citation{{Authors: "Socher et al.", Year: 2013,
			Title: "Recursive Deep Models for Semantic Compositionality Over a Sentiment Treebank, EMNLP"}},
		Hub:   Published{"nyu-mll/glue", "sst2", "validation"},
		Files: []string{"sst2/dev.tsv"}, Read: readSST2})
}

func readSST2(f *file, most int) ([]Item, error) {
	first := true
	table := f.from.Holds() == ".tsv"
	if table {
		f.from.Columns = []string{"sentence", "label"}
	}
	type row struct {
		Sentence *string
		Label    json.RawMessage // a number, or a string in a table
	}
	convert := func(row row) (Item, error) {
		if row.Sentence == nil {
			return Item{}, errors.New("no sentence")
		}
		label := strings.Trim(string(row.Label), `"`)
		gold := strings.Index("01", label)
		if gold < 0 || len(label) != 1 {
			return Item{}, fmt.Errorf("label %.40q, want 0 or 1", label)
		}
		return Choose(*row.Sentence+"\nQuestion: Is this sentence positive or negative?\nAnswer:", []string{"negative", "positive"}, gold)
	}
	return items(f, most, func(row row) (Item, bool, error) {
		header := table && first && row.Sentence != nil && *row.Sentence == "sentence" && string(row.Label) == `"label"`
		first = false
		if header {
			return Item{}, false, nil
		}
		item, err := convert(row)
		return item, true, err
	})
}
