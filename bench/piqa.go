package bench

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strconv"
	"strings"

	"avssnative/avss"
	"avssnative/internal/corpus"
	"avssnative/internal/mapped"
)

// PIQA (Bisk et al., arXiv 1911.11641). Two forms of file: the published goal, sol1, sol2, with the labels in a file of their own or in
// the line; and query, choices, gold, where the query is "Question: … \n" already.
func init() {
	Register(Task{Name: "piqa", Version: "1.0", Metrics: []string{"acc", "acc_norm"}, Primary: "acc",
		Papers: []avss.Citation{{ArXiv: "1911.11641", Authors: "Bisk et al.", Year: 2019,
			Title: "PIQA: Reasoning about Physical Commonsense in Natural Language"}},
		Hub:   Published{"baber/piqa", "default", "validation"},
		Files: []string{"piqa/valid.jsonl", "piqa/mosaic_piqa.jsonl"}, Read: readPIQA})
}

type piqaRow struct {
	Goal, Sol1, Sol2 *string
	Label            digits
	Query            *string
	Choices          []string
	Gold             *int
}

func readPIQA(f *file, most int) ([]Item, error) {
	var labels []string
	name := ""
	if f.dir != "" {
		base := strings.TrimSuffix(filepath.Base(f.name), ".jsonl")
		name = filepath.Join(f.dir, base+"-labels.lst")
		data, err := mapped.ReadSmall(name, corpus.MaxBytes)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
		labels = strings.Fields(string(data))
	}
	index := -1
	return Rows(func(row piqaRow) (Item, error) {
		index++
		switch {
		case row.Query != nil:
			if row.Gold == nil {
				return Item{}, errors.New("no gold")
			}
			return Choose(*row.Query+"Answer:", row.Choices, *row.Gold)
		case row.Goal == nil || row.Sol1 == nil || row.Sol2 == nil:
			return Item{}, errors.New("neither query with choices nor goal with sol1 and sol2")
		}
		gold := row.Label.value
		if !row.Label.set {
			if index >= len(labels) {
				return Item{}, fmt.Errorf("no label in the line, and %s has %d", name, len(labels))
			}
			var err error
			if gold, err = strconv.Atoi(labels[index]); err != nil {
				return Item{}, fmt.Errorf("%s: label %q, want 0 or 1", name, labels[index])
			}
		}
		return Choose("Question: "+*row.Goal+"\nAnswer:", []string{*row.Sol1, *row.Sol2}, gold)
	})(f, most)
}
