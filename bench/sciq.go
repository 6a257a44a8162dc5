package bench

import (
	"errors"
	"strings"
)

// SciQ (Welbl et al., arXiv 1707.06209): the right answer is the last of the four.
func init() {
	register(Task{Name: "sciq", Version: "1.0", Metrics: []string{"acc", "acc_norm"}, Primary: "acc",
		Files: []string{"sciq/test.jsonl"},
		read: rows(func(row struct {
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
			return choose(context, []string{row.Distractor1, row.Distractor2, row.Distractor3, row.CorrectAnswer}, 3)
		})})
}
