package bench

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"avssnative/avss"
)

// CommonsenseQA (Talmor et al., arXiv 1811.00937): the choices stand in the question behind letters, and the letters are what is compared. Two
// forms of file: question, choices with labels, answerKey, as published, with five choices; and query, choices (the letters), gold,
// whose line "Choices:" is left out.
func init() {
	Register(Task{Name: "commonsense_qa", Version: "0", Metrics: []string{"acc"}, Primary: "acc",
		Papers: []avss.Citation{{ArXiv: "1811.00937", Authors: "Talmor et al.", Year: 2018,
			Title: "CommonsenseQA: A Question Answering Challenge Targeting Commonsense Knowledge"}},
		Hub:   Published{"tau/commonsense_qa", "default", "validation"},
		Files: []string{"commonsense_qa/mosaic_commonsense_qa.jsonl", "commonsense_qa/validation.jsonl"},
		Read: Rows(func(row struct {
			Query, Question *string
			Choices         options
			Gold            *int
			AnswerKey       string
		}) (Item, error) {
			gold, err := row.Choices.gold(row.Gold, row.AnswerKey)
			if err != nil {
				return Item{}, err
			}
			letters := strings.Split("ABCDE", "")
			switch {
			case row.Query != nil:
				if n := len(row.Choices.texts); n > len(letters) || !slices.Equal(row.Choices.texts, letters[:n]) {
					return Item{}, fmt.Errorf("choices %q: want the letters of those in the query", row.Choices.texts)
				}
				return Choose(strings.Replace(*row.Query, "\nChoices:\n", "\n", 1), row.Choices.texts, gold)
			case row.Question != nil:
				if n := len(row.Choices.texts); n != len(letters) {
					return Item{}, fmt.Errorf("%d choices, want %d", n, len(letters))
				}
				var text strings.Builder
				text.WriteString("Question: " + trim(*row.Question))
				for i, choice := range row.Choices.texts {
					text.WriteString("\n" + letters[i] + ". " + choice)
				}
				return Choose(text.String()+"\nAnswer:", letters, gold)
			}
			return Item{}, errors.New("neither query nor question")
		})})
}
