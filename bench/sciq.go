package bench

import (
	"errors"
	"strings"

	"avssnative/avss"
)

// SciQ (Welbl et al., arXiv 1707.06209): the right answer is the last of the four.
func init() {
	Register(Task{Name: "sciq", Version: "1.0", Metrics: []string{"acc", "acc_norm"}, Primary: "acc",
		Papers: []avss.Citation{{ArXiv: "1707.06209", Authors: "Welbl et al.", Year: 2017,
			Title: "Crowdsourcing Multiple Choice Science Questions"}},
		Hub:   Published{"allenai/sciq", "default", "test"},
		Files: []string{"sciq/test.jsonl"},
		Read: Rows(func(row struct {
			Support, Question *string
			Distractor1       string
			Distractor2       string
			Distractor3       string
			CorrectAnswer     string `json:"correct_answer"`
		}) (Item, error) {
			if row.Support == nil || row.Question == nil {
				return Item{}, errors.New("no support or no question")
			}
			context := strings.TrimLeftFunc(*row.Support, space) + "\nQuestion: " + *row.Question + "\nAnswer:"
			return Choose(context, []string{row.Distractor1, row.Distractor2, row.Distractor3, row.CorrectAnswer}, 3)
		})})
}
