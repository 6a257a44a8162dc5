package bench

import (
	"errors"

	"avssnative/avss"
)

// ARC's easy and challenge sets (Clark et al., arXiv 1803.05457). Two forms of file: query, choices, gold, where the query begins with
// "Question: " already; and the published question, choices with labels, answerKey.
func init() {
	for _, name := range []string{"arc_easy", "arc_challenge"} {
		primary := "acc"
		if name == "arc_challenge" {
			primary = "acc_norm"
		}
		Register(Task{Name: name, Version: "1.0", Metrics: []string{"acc", "acc_norm"}, Primary: primary,
			Papers: []avss.Citation{{ArXiv: "1803.05457", Authors: "Clark et al.", Year: 2018,
				Title: "Think you have Solved Question Answering? Try ARC, the AI2 Reasoning Challenge"}},
			Hub:   Published{"allenai/ai2_arc", map[string]string{"arc_easy": "ARC-Easy", "arc_challenge": "ARC-Challenge"}[name], "test"},
			Files: []string{name + "/mosaic_" + name + ".jsonl", name + "/test.jsonl"},
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
				switch {
				case row.Query != nil:
					return Choose(*row.Query+"\nAnswer:", row.Choices.texts, gold)
				case row.Question != nil:
					return Choose("Question: "+*row.Question+"\nAnswer:", row.Choices.texts, gold)
				}
				return Item{}, errors.New("neither query nor question")
			})})
	}
}
