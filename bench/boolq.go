package bench

import (
	"errors"
	"strings"

	"avssnative/avss"
)

// BoolQ (Clark et al., arXiv 1905.10044), as SuperGLUE asks it. Two forms of file: passage, question, and label or answer; and query,
// choices, gold, where the query is "Passage: …\nQuestion: …?" and its first word is left out.
func init() {
	answers := []string{"no", "yes"}
	Register(Task{Name: "boolq", Version: "2.0", Metrics: []string{"acc"}, Primary: "acc",
		Papers: []avss.Citation{{ArXiv: "1905.10044", Authors: "Clark et al.", Year: 2019,
			Title: "BoolQ: Exploring the Surprising Difficulty of Natural Yes/No Questions"}},
		Hub:   Published{"aps/super_glue", "boolq", "validation"},
		Files: []string{"boolq/mosaic_boolq.jsonl", "boolq/validation.jsonl"},
		Read: Rows(func(row struct {
			Query             *string
			Gold              *int
			Passage, Question *string
			Label, Answer     digits
		}) (Item, error) {
			if row.Query != nil {
				if row.Gold == nil {
					return Item{}, errors.New("no gold")
				}
				return Choose(strings.TrimPrefix(*row.Query, "Passage: ")+"\nAnswer:", answers, *row.Gold)
			}
			if row.Passage == nil || row.Question == nil {
				return Item{}, errors.New("neither query nor passage with question")
			}
			gold := row.Label
			if !gold.set {
				gold = row.Answer
			}
			if !gold.set {
				return Item{}, errors.New("neither label nor answer")
			}
			return Choose(*row.Passage+"\nQuestion: "+*row.Question+"?\nAnswer:", answers, gold.value)
		})})
}
