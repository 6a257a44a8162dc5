package bench

import (
	"errors"
	"fmt"
	"strings"

	"avssnative/avss"
)

// WinoGrande (Sakaguchi et al., arXiv 1907.10641), scored partially: the options end the context, what follows the gap is the same for
// both. Two forms of file: context_options, continuation, gold; and the published sentence with a gap "_", option1, option2, answer.
func init() {
	Register(Task{Name: "winogrande", Version: "1.0", Metrics: []string{"acc"}, Primary: "acc",
		Papers: []avss.Citation{{ArXiv: "1907.10641", Authors: "Sakaguchi et al.", Year: 2019,
			Title: "WinoGrande: An Adversarial Winograd Schema Challenge at Scale"}},
		Hub:   Published{"allenai/winogrande", "winogrande_xl", "validation"},
		Files: []string{"winogrande/mosaic_winogrande.jsonl", "winogrande/validation.jsonl"},
		Read: Rows(func(row struct {
			ContextOptions             []string `json:"context_options"`
			Continuation               string
			Gold                       *int
			Sentence, Option1, Option2 string
			Answer                     digits
		}) (Item, error) {
			contexts, rest := row.ContextOptions, row.Continuation
			gold := 0
			switch {
			case row.ContextOptions != nil:
				if row.Gold == nil {
					return Item{}, errors.New("no gold")
				}
				gold = *row.Gold
			case row.Sentence != "":
				before, after, found := strings.Cut(row.Sentence, "_")
				if !found {
					return Item{}, errors.New(`the sentence has no gap "_"`)
				}
				if !row.Answer.set {
					return Item{}, errors.New("no answer")
				}
				contexts, rest, gold = []string{before + row.Option1, before + row.Option2}, trim(after), row.Answer.value-1
			default:
				return Item{}, errors.New("neither context_options nor sentence")
			}
			if rest == "" {
				return Item{}, errors.New("nothing follows the options")
			}
			item, err := Choose("", contexts, gold)
			if err != nil {
				return Item{}, fmt.Errorf("options: %w", err)
			}
			for i, context := range contexts {
				item.Pairs[i] = Pair{context, " " + rest}
			}
			return item, nil
		})})
}
