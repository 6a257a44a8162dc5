package bench

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"unicode/utf8"
)

// Choose makes the item of a question: one context, and every choice behind a space.
func Choose(context string, choices []string, gold int) (Item, error) {
	if len(choices) < 2 {
		return Item{}, fmt.Errorf("%d choices, want at least 2", len(choices))
	}
	if gold < 0 || gold >= len(choices) {
		return Item{}, fmt.Errorf("right answer %d: the item has choices 0 to %d", gold, len(choices)-1)
	}
	item := Item{Gold: gold}
	for i, choice := range choices {
		if choice == "" {
			return Item{}, fmt.Errorf("choice %d is empty", i)
		}
		item.Pairs = append(item.Pairs, Pair{context, " " + choice})
		item.Lengths = append(item.Lengths, utf8.RuneCountInString(choice))
	}
	return item, nil
}

// options are the choices of a question: a list of texts, or texts with labels as ARC and OpenBookQA publish them.
type options struct {
	texts, labels []string
}

func (o *options) UnmarshalJSON(data []byte) error {
	if err := json.Unmarshal(data, &o.texts); err == nil {
		return nil
	}
	var labelled struct{ Text, Label []string }
	if err := json.Unmarshal(data, &labelled); err != nil {
		return errors.New("choices are neither a list of texts nor texts with labels")
	}
	if len(labelled.Text) != len(labelled.Label) {
		return fmt.Errorf("%d texts of choices and %d labels", len(labelled.Text), len(labelled.Label))
	}
	o.texts, o.labels = labelled.Text, labelled.Label
	return nil
}

// gold is the index of the right choice, by number or by label.
func (o options) gold(number *int, key string) (int, error) {
	if number != nil {
		return *number, nil
	}
	key = trim(key)
	if key == "" {
		return 0, errors.New("no right answer: neither gold nor answerKey")
	}
	i := slices.Index(o.labels, key)
	if i < 0 {
		return 0, fmt.Errorf("right answer %q is none of the labels %q", key, o.labels)
	}
	return i, nil
}

// digits is a number that some files write as a string.
type digits struct {
	value int
	set   bool
}

func (d *digits) UnmarshalJSON(data []byte) error {
	if len(data) > 1 && data[0] == '"' {
		data = data[1 : len(data)-1]
	}
	switch string(data) {
	case "null", "":
		return nil
	case "true":
		*d = digits{1, true}
		return nil
	case "false":
		*d = digits{0, true}
		return nil
	}
	if err := json.Unmarshal(data, &d.value); err != nil {
		return fmt.Errorf("%q is no whole number", data)
	}
	d.set = true
	return nil
}

// aliases are the names of an answer: an object that lists them; one text is no alias.
type aliases []string

func (a *aliases) UnmarshalJSON(data []byte) error {
	var one string
	if json.Unmarshal(data, &one) == nil {
		return nil
	}
	var listed struct{ Aliases []string }
	if err := json.Unmarshal(data, &listed); err != nil {
		return errors.New("the answer is neither a text nor an object with aliases")
	}
	*a = listed.Aliases
	return nil
}
