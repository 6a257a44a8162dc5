package bench

import (
	"errors"
	"regexp"
	"strings"

	"avssnative/avss"
)

// HellaSwag (Zellers et al., arXiv 1905.07830). Two forms of file: the published activity_label, ctx_a, ctx_b, endings, label; and query,
// choices, gold, where both are cleaned already.
func init() {
	Register(Task{Name: "hellaswag", Version: "1.0", Metrics: []string{"acc", "acc_norm"}, Primary: "acc_norm",
		Papers: []avss.Citation{{ArXiv: "1905.07830", Authors: "Zellers et al.", Year: 2019,
			Title: "HellaSwag: Can a Machine Really Finish Your Sentence?"}},
		Hub:   Published{"Rowan/hellaswag", "default", "validation"},
		Files: []string{"hellaswag/validation.jsonl", "hellaswag/mosaic_hellaswag.jsonl"},
		Read: Rows(func(row struct {
			Activity *string `json:"activity_label"`
			A        string  `json:"ctx_a"`
			B        string  `json:"ctx_b"`
			Endings  []string
			Label    digits
			Query    *string
			Choices  []string
			Gold     *int
		}) (Item, error) {
			if row.Query != nil {
				if row.Gold == nil {
					return Item{}, errors.New("no gold")
				}
				return Choose(*row.Query, row.Choices, *row.Gold)
			}
			if row.Activity == nil || !row.Label.set {
				return Item{}, errors.New("neither query with gold nor activity_label with label")
			}
			var endings []string
			for _, ending := range row.Endings {
				endings = append(endings, cleanWikiHow(ending))
			}
			return Choose(cleanWikiHow(*row.Activity+": "+row.A+" "+capitalise(row.B)), endings, row.Label.value)
		})})
}

var bracketed = regexp.MustCompile(`\[.*?\]`)

// cleanWikiHow takes out the marks that WikiHow's pages left in the text.
func cleanWikiHow(text string) string {
	text = strings.ReplaceAll(trim(text), " [title]", ". ")
	return strings.ReplaceAll(bracketed.ReplaceAllString(text, ""), "  ", " ")
}
