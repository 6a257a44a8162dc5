package bench

import (
	"errors"

	"avssnative/avss"
)

// OpenBookQA (Mihaylov et al., arXiv 1809.02789): the stem alone is the context. Two forms of file: query, choices, gold; and the
// published question_stem, choices with labels, answerKey.
func init() {
	Register(Task{Name: "openbookqa", Version: "1.0", Metrics: []string{"acc", "acc_norm"}, Primary: "acc_norm",
		Papers: []avss.Citation{{ArXiv: "1809.02789", Authors: "Mihaylov et al.", Year: 2018,
			Title: "Can a Suit of Armor Conduct Electricity? A New Dataset for Open Book Question Answering"}},
		Hub:   Published{"allenai/openbookqa", "main", "test"},
		Files: []string{"openbookqa/mosaic_openbook_qa.jsonl", "openbookqa/test.jsonl"},
		Read: Rows(func(row struct {
			Query        *string
			QuestionStem *string `json:"question_stem"`
			Choices      options
			Gold         *int
			AnswerKey    string
		}) (Item, error) {
			stem := row.Query
			if stem == nil {
				stem = row.QuestionStem
			}
			if stem == nil {
				return Item{}, errors.New("neither query nor question_stem")
			}
			gold, err := row.Choices.gold(row.Gold, row.AnswerKey)
			if err != nil {
				return Item{}, err
			}
			return Choose(*stem, row.Choices.texts, gold)
		})})
}
