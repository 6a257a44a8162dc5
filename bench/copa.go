package bench

import (
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"avssnative/avss"
)

// COPA (Roemmele et al., 2011), as SuperGLUE asks it: which of two sentences is the cause or the effect of a premise. The choices begin with
// a space of their own, so two stand in front of them, as in the peer. Two forms of file: premise, choice1, choice2, question, label, as
// published; and query, choices, gold, whose comma in front of the connector is left out.
func init() {
	Register(Task{Name: "copa", Version: "1.0", Metrics: []string{"acc"}, Primary: "acc",
		Papers: []avss.Citation{{ArXiv: "1905.00537", Authors: "Wang et al.", Year: 2019,
			Title: "SuperGLUE: A Stickier Benchmark for General-Purpose Language Understanding Systems"}},
		Hub:   Published{"aps/super_glue", "copa", "validation"},
		Files: []string{"copa/mosaic_copa.jsonl", "copa/validation.jsonl"},
		Read: Rows(func(row struct {
			Query                     *string
			Choices                   []string
			Gold                      *int
			Premise, Choice1, Choice2 string
			Question                  string
			Label                     digits
		}) (Item, error) {
			context, choices, gold := "", row.Choices, row.Label.value
			switch {
			case row.Query != nil:
				if row.Gold == nil {
					return Item{}, errors.New("no gold")
				}
				context, gold = *row.Query, *row.Gold
				for _, connector := range []string{"because", "therefore"} {
					if premise, found := strings.CutSuffix(context, ", "+connector); found {
						context = premise + " " + connector
					}
				}
			case row.Premise != "":
				connector, known := map[string]string{"cause": "because", "effect": "therefore"}[row.Question]
				if !known {
					return Item{}, fmt.Errorf("question %q: want cause or effect", row.Question)
				}
				if !row.Label.set {
					return Item{}, errors.New("no label")
				}
				premise := trim(row.Premise)
				_, size := utf8.DecodeLastRuneInString(premise)
				context, choices = premise[:len(premise)-size]+" "+connector, []string{row.Choice1, row.Choice2}
			default:
				return Item{}, errors.New("neither query nor premise")
			}
			spaced := make([]string, len(choices))
			for i, choice := range choices {
				first, size := utf8.DecodeRuneInString(choice)
				if size == 0 {
					return Item{}, fmt.Errorf("choice %d is empty", i)
				}
				spaced[i] = " " + string(unicode.ToLower(first)) + choice[size:]
			}
			return Choose(context, spaced, gold)
		})})
}
