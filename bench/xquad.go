package bench

import (
	"encoding/json"
	"fmt"

	"avssnative/avss"
)

// XQuAD in English (Artetxe et al., arXiv 1910.11856), 1,190 questions of SQuAD v1.1, as a task of our own: the passage and the question, and
// an answer is right where one of the known answers stands in it, as the peer's squad_completion judges. The file has SQuAD's own form.
func init() {
	Register(Task{Name: "xquad", Version: "1.0", Kind: Generate, Metrics: []string{"contains"}, Primary: "contains",
		Until: []string{"\n"}, MaxTokens: 32,
		Papers: []avss.Citation{{ArXiv: "1910.11856", Authors: "Artetxe et al.", Year: 2019,
			Title: "On the Cross-lingual Transferability of Monolingual Representations"}},
		Files: []string{"squad/xquad.en.json", "xquad/xquad.en.json"}, Read: readSquad,
		Judge: func(item Item, said string) map[string]float64 {
			return map[string]float64{"contains": contains(said, item.Answers)}
		}})
}

// readSquad reads SQuAD's form: articles of paragraphs, each with questions and their answers.
func readSquad(f *file, most int) ([]Item, error) {
	whole := *f
	whole.from.Kind = ".txt" // one value over all lines, no records
	text, err := whole.text()
	if err != nil {
		return nil, err
	}
	var set struct {
		Data []struct {
			Paragraphs []struct {
				Context string
				QAs     []struct {
					ID, Question string
					Answers      []struct{ Text string }
				}
			}
		}
	}
	if err := json.Unmarshal([]byte(text), &set); err != nil {
		return nil, fmt.Errorf("%s: not SQuAD's JSON: %w", f.name, err)
	}
	var items []Item
	for _, article := range set.Data {
		for _, paragraph := range article.Paragraphs {
			for _, qa := range paragraph.QAs {
				var answers []string
				for _, answer := range qa.Answers {
					answers = append(answers, answer.Text)
				}
				item, err := prompt(paragraph.Context+"\nQuestion: "+qa.Question+"\nAnswer:", answers...)
				if err != nil {
					return nil, fmt.Errorf("%s: question %s: %w", f.name, qa.ID, err)
				}
				item.Index = len(items)
				if items = append(items, item); len(items) == most {
					return items, nil
				}
			}
		}
	}
	return items, nil
}
