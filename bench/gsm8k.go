package bench

import (
	"errors"
	"regexp"

	"avssnative/avss"
)

// GSM8K (Cobbe et al., arXiv 2110.14168): school mathematics, answered by a chain of thought that ends in "#### " and the number. Two ways to
// read the number are reported: behind the signs (strict-match), and the last one anywhere (flexible-extract). Two forms of file: question
// and answer, as published; and context, chain_of_thought, answer.
func init() {
	const strict, flexible = "exact_match,strict-match", "exact_match,flexible-extract"
	behind := regexp.MustCompile(`#### (-?[0-9.,]+)`)
	last := regexp.MustCompile(`(-?[$0-9.,]{2,})|(-?[0-9]+)`)
	// In Python a $ also stands before a line break that ends the text, which such an answer never has.
	match := exactMatch{letterCase: true, ignore: []*regexp.Regexp{regexp.MustCompile(`,`), regexp.MustCompile(`\$`),
		regexp.MustCompile(`(?s).*#### `), regexp.MustCompile(`\.$`)}}
	Register(Task{Name: "gsm8k", Version: "3.0", Kind: Generate, Metrics: []string{strict, flexible}, Primary: strict,
		Papers: []avss.Citation{{ArXiv: "2110.14168", Authors: "Cobbe et al.", Year: 2021, Title: "Training Verifiers to Solve Math Word Problems"}},
		Hub:    Published{"openai/gsm8k", "main", "test"},
		Files:  []string{"gsm8k/mosaic_gsm8k.jsonl", "gsm8k/test.jsonl"}, Until: []string{"Question:", "</s>", "<|im_end|>"},
		Judge: func(item Item, said string) map[string]float64 {
			number := func(found string) float64 {
				if found = trim(found); found == "" {
					found = "[invalid]"
				}
				return match.mark(found, item.Answers)
			}
			first := ""
			if found := behind.FindStringSubmatch(said); found != nil {
				first = found[1]
			}
			final := ""
			if all := last.FindAllString(said, -1); all != nil {
				final = all[len(all)-1]
			}
			return map[string]float64{strict: number(first), flexible: number(final)}
		},
		Read: Rows(func(row struct {
			Question, Context, Answer *string
			Thought                   *string `json:"chain_of_thought"`
		}) (Item, error) {
			switch {
			case row.Answer == nil:
				return Item{}, errors.New("no answer")
			case row.Question != nil:
				return prompt("Question: "+*row.Question+"\nAnswer:", *row.Answer)
			case row.Context != nil && row.Thought != nil:
				return prompt("Question: "+*row.Context+"\nAnswer:", *row.Thought+"\n#### "+*row.Answer)
			}
			return Item{}, errors.New("neither question nor context with chain_of_thought")
		})})
}
