package bench

import (
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
		Files: []string{"sst2/dev.tsv"}, Read: readSST2})
}

func readSST2(f *file, most int) ([]Item, error) {
	var items []Item
	first := true
	err := f.lines(func(line string) (bool, error) {
		sentence, label, found := strings.Cut(line, "\t")
		header := first && sentence == "sentence" && label == "label"
		first = false
		if header {
			return false, nil
		}
		if !found {
			return false, errors.New("want a sentence, a tab and a label")
		}
		gold := strings.Index("01", label)
		if gold < 0 || len(label) != 1 {
			return false, fmt.Errorf("label %q, want 0 or 1", label)
		}
		item, err := Choose(sentence+"\nQuestion: Is this sentence positive or negative?\nAnswer:", []string{"negative", "positive"}, gold)
		item.Index = len(items)
		items = append(items, item)
		return len(items) == most, err
	})
	return items, err
}
