package bench

// How a task's file becomes items. A task of the standard form needs none of this; others say how a record, a document or the whole text is
// turned into items.

import (
	"errors"
	"fmt"
)

// A Reader reads the items of a task's file, at most so many of them (0: all). Make one with Rows, Documents or Text; nil in a Task is the
// standard form, a JSON object a line: {"context": …, "choices": [ … ], "gold": index of the right one}, or {"text": …} where the text is
// scored from its beginning to its end, or {"prompt": …, "until": [ … ], "answers": [ … ], "match": …} where the model answers
// in its own words.
type Reader func(f *file, most int) ([]Item, error)

// Text gives the file's whole text to a function that makes items of it, at most so many (0: all).
func Text(items func(text string, most int) ([]Item, error)) Reader {
	return func(f *file, most int) ([]Item, error) {
		text, err := f.text()
		if err != nil {
			return nil, err
		}
		return items(text, most)
	}
}

// Document is the item of a text that is scored from its beginning to its end.
func Document(text string) Item { return Item{Text: text, Words: words(text), Bytes: len(text)} }

// standard reads the standard form.
var standard = Rows(func(row struct {
	Context *string
	Choices []string
	Gold    *int
	Text    *string
	Prompt  *string
	Until   []string
	Answers []string
	Match   string
}) (Item, error) {
	switch {
	case row.Prompt != nil && (row.Text != nil || row.Context != nil || row.Choices != nil):
		return Item{}, errors.New("prompt beside text, context or choices: want one form or the other")
	case row.Prompt != nil:
		return asks(*row.Prompt, row.Until, row.Answers, row.Match)
	case row.Text != nil && row.Context == nil && row.Choices == nil:
		if trim(*row.Text) == "" {
			return Item{}, errors.New("the text is blank")
		}
		return Document(*row.Text), nil
	case row.Text != nil:
		return Item{}, errors.New("text beside context or choices: want one form or the other")
	case row.Context == nil || row.Gold == nil:
		return Item{}, errors.New("no context or no gold: want context, choices and gold, or text, or prompt and answers")
	}
	return Choose(*row.Context, row.Choices, *row.Gold)
})

// form is the kind of task whose items these are.
func form(items []Item) (Kind, error) {
	kind := Choice
	for i, item := range items {
		is := Choice
		switch {
		case item.Answers != nil:
			is = Generate
		case len(item.Pairs) == 0:
			is = Rolling
		}
		if i == 0 {
			kind = is
		} else if is != kind {
			return kind, fmt.Errorf("item %d: questions and texts in one file: want items of one form", item.Index)
		}
	}
	return kind, nil
}
