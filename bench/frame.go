package bench

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"
)

// Framing says what stands around the questions of tasks, by the peer's rules. The zero value leaves them as they are.
type Framing struct {
	// Shots is how many answered examples stand in front of each question. They are drawn for every question anew, as the peer's own sampler
	// draws them with its own seed, from NAME.shots.jsonl beside the task's file (with that file's ending): items in the form of the task's.
	Shots int
	// Chat writes turns by a model's chat template, with what begins an answer at the end: questions are then what a user says and
	// examples earlier turns. nil: text.
	Chat func(turns []Turn) (string, error)
}

// Turn is one turn of a conversation: a user's or an assistant's.
type Turn struct{ Role, Content string }

// shotSeed is the seed of the peer's sampler unless it is told otherwise.
const shotSeed = 1234

// Frame puts examples and a conversation's form around the questions of all sets that ask questions; texts that are scored from their
// beginning to their end stay as they are.
func Frame(sets []Set, f Framing) error {
	if f.Shots < 0 {
		return fmt.Errorf("bench: %d examples: want 0 or more", f.Shots)
	}
	for i := range sets {
		set := &sets[i]
		if set.Task.Kind == Rolling || set.Task.Kind == Chunked || f.Shots == 0 && f.Chat == nil {
			continue
		}
		if err := set.frame(f); err != nil {
			return fmt.Errorf("bench: %s: %w", set.Task.Name, err)
		}
	}
	return nil
}

func (s *Set) frame(f Framing) error {
	var examples []Item
	if f.Shots > 0 {
		var err error
		if examples, err = s.examples(); err != nil {
			return err
		}
		if len(examples) < f.Shots {
			return fmt.Errorf("%d examples asked for, their file has %d", f.Shots, len(examples))
		}
	}
	random := newPyRandom(shotSeed)
	for i := range s.Items {
		item := &s.Items[i]
		var turns []Turn
		var text strings.Builder
		for _, drawn := range random.sample(len(examples), f.Shots) {
			question, delimiter, answer := examples[drawn].answered(s.Task.Kind)
			turns = append(turns, Turn{"user", question}, Turn{"assistant", answer})
			text.WriteString(question + delimiter + answer + "\n\n")
		}
		pairs := make([]Pair, len(item.Pairs)) // the items of a Set may be shared
		for k, pair := range item.Pairs {
			if pairs[k] = pair; f.Chat == nil {
				pairs[k].Context = text.String() + pair.Context
				continue
			}
			if k > 0 && item.Pairs[k-1].Context == pair.Context {
				pairs[k].Context = pairs[k-1].Context
			} else {
				var err error
				if pairs[k].Context, err = f.Chat(append(turns[:len(turns):len(turns)], Turn{"user", pair.Context})); err != nil {
					return fmt.Errorf("item %d: %w", item.Index, err)
				}
			}
			if s.Task.Kind != Cloze { // whose continuation is the answer as it stands
				pairs[k].Continuation = strings.TrimPrefix(pair.Continuation, delimiter)
			}
		}
		item.Pairs = pairs
	}
	s.Shots, s.Chat = f.Shots, f.Chat != nil
	return nil
}

// delimiter stands between a question and its answer.
const delimiter = " "

// answered is an item as an example: the question, what stands behind it, and the right answer.
func (item *Item) answered(kind Kind) (question, between, answer string) {
	pair := item.Pairs[item.Gold]
	if kind == Cloze {
		return pair.Context, delimiter, pair.Continuation
	}
	return pair.Context, delimiter, strings.TrimPrefix(pair.Continuation, delimiter)
}

// examples reads the items that examples are drawn from.
func (s *Set) examples() ([]Item, error) {
	if s.from == nil || s.from.dir == "" {
		return nil, errors.New("is inside the program, which has no examples: give a folder of task files that holds it and them")
	}
	name := s.Task.Name + ".shots" + filepath.Ext(s.Task.Files[0])
	f, err := Source{Dir: s.from.dir}.find(s.from.ctx, Task{Name: s.Task.Name + ".shots", Files: []string{name}}, false, "")
	if err != nil {
		return nil, fmt.Errorf("examples: %w", err)
	}
	return s.Task.Read(f, 0)
}
