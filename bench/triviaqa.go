package bench

import (
	"errors"

	"avssnative/avss"
)

// TriviaQA (Joshi et al., arXiv 1705.03551) without passages: an answer is right where it is one of the names of what was asked for, whatever
// the letter case and punctuation. Two forms of file: question and answer with its aliases, as published; and context with aliases.
func init() {
	const metric = "exact_match,remove_whitespace"
	match := exactMatch{letterCase: true, punctuate: true}
	Register(Task{Name: "triviaqa", Version: "3.0", Kind: Generate, Metrics: []string{metric}, Primary: metric,
		Papers: []avss.Citation{{ArXiv: "1705.03551", Authors: "Joshi et al.", Year: 2017,
			Title: "TriviaQA: A Large Scale Distantly Supervised Challenge Dataset for Reading Comprehension"}},
		Hub:   Published{"mandarjoshi/trivia_qa", "rc.nocontext", "validation"},
		Files: []string{"triviaqa/mosaic_triviaqa_sm_sub.jsonl", "triviaqa/validation.jsonl"}, Until: []string{"\n", ".", ","},
		Judge: func(item Item, said string) map[string]float64 {
			return map[string]float64{metric: match.mark(trim(said), item.Answers)}
		},
		Read: Rows(func(row struct {
			Question, Context *string
			Aliases           []string
			Answer            aliases
		}) (Item, error) {
			switch {
			case row.Question != nil:
				return prompt("Question: "+*row.Question+"?\nAnswer:", row.Answer...)
			case row.Context != nil:
				return prompt(*row.Context, row.Aliases...)
			}
			return Item{}, errors.New("neither question nor context")
		})})
}
