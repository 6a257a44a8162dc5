package bench

import (
	"errors"
	"strings"

	"avssnative/avss"
)

// LAMBADA (Paperno et al., arXiv 1606.06031) in OpenAI's form: the last word of a passage. Two forms of file: context and continuation;
// and the whole text.
func init() {
	Register(Task{Name: "lambada_openai", Version: "1.0", Kind: Cloze, Metrics: []string{"perplexity", "acc"}, Primary: "acc",
		Papers: []avss.Citation{{ArXiv: "1606.06031", Authors: "Paperno et al.", Year: 2016,
			Title: "The LAMBADA dataset: Word prediction requiring a broad discourse context"}},
		Hub:   Published{"EleutherAI/lambada_openai", "default", "test"},
		Files: []string{"lambada/mosaic_lambada_openai.jsonl", "lambada/test.jsonl"},
		Read: Rows(func(row struct{ Context, Continuation, Text *string }) (Item, error) {
			var context, word string
			switch {
			case row.Context != nil && row.Continuation != nil:
				context, word = *row.Context, *row.Continuation
			case row.Text != nil:
				at := strings.LastIndex(*row.Text, " ")
				if at < 0 {
					return Item{}, errors.New("the text has one word, want at least two")
				}
				context, word = (*row.Text)[:at], (*row.Text)[at+1:]
			default:
				return Item{}, errors.New("neither context with continuation nor text")
			}
			if trim(word) == "" {
				return Item{}, errors.New("the last word is empty")
			}
			return Item{Pairs: []Pair{{context, " " + word}}}, nil
		})})
}
