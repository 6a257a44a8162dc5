package bench

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"math"
	"slices"

	"avssnative/engine"
)

// Tasks of the kind Generate let the model answer in its own words: it continues a prompt, each time by its most likely token, until one of
// some strings comes, a token ends the text, or it has said enough. What it said is then judged by the task's rules.

// mostSaid is how many tokens an answer has at most unless its task says otherwise: the peer's default.
const mostSaid = 256

// asked is a prompt of a generative task.
type asked struct {
	ids   []int32
	until []string
	most  int
}

// addPrompt adds a generative item's prompt. One that leaves no room for its answer loses its beginning.
func (s *Suite) addPrompt(p *prepared, item *preparedItem, e *encoder) error {
	a := asked{until: p.Task.Until, most: p.Task.MaxTokens}
	if item.Until != nil {
		a.until = item.Until
	}
	if a.most == 0 {
		a.most = mostSaid
	}
	room := s.length - a.most
	if room < 1 {
		return fmt.Errorf("answers of %d tokens: the model takes %d at a time, which leaves none for a prompt", a.most, s.length)
	}
	ids, err := e.text(item.Pairs[0].Context)
	if err != nil {
		return err
	}
	if len(ids) == 0 {
		return fmt.Errorf("the prompt has no tokens")
	}
	item.truncated = len(ids) > room
	a.ids = ids[max(0, len(ids)-room):]
	item.asked = len(s.asked)
	s.asked = append(s.asked, a)
	return nil
}

// Asks says whether there are prompts to be continued: Say then makes what Judge wants.
func (s *Suite) Asks() bool { return len(s.asked) > 0 }

// Saying says how prompts are continued.
type Saying struct {
	Drop     engine.Drop
	Ends     []int32 // tokens that end a text
	Memory   int64
	Progress func(ended, prompts, tokens int) // may be nil
	First    int                              // prompts from here
	End      int                              // to before here; 0: to the last
}

// Prompts counts those of the suite's generative tasks.
func (s *Suite) Prompts() int { return len(s.asked) }

// Fingerprint is the SHA-256 of the prompts and of what ends their answers, in hexadecimal.
func (s *Suite) Fingerprint() string {
	sum := sha256.New()
	for _, a := range s.asked {
		fmt.Fprintf(sum, "%d %q %v\n", a.most, a.until, a.ids)
	}
	return hex.EncodeToString(sum.Sum(nil))
}

// Say lets a model answer the prompts of the suite's generative tasks, in their order.
func (s *Suite) Say(ctx context.Context, generator Generator, o Saying) ([]string, error) {
	asked := s.asked[o.First:]
	if o.End > 0 {
		asked = s.asked[o.First:o.End]
	}
	requests := make([]engine.Request, len(asked))
	var failed error
	for i, a := range asked {
		requests[i] = engine.Request{IDs: a.ids, Tokens: a.most, Stop: func(made []int32) bool {
			if slices.Contains(o.Ends, made[len(made)-1]) {
				return true
			}
			text, err := s.tokenizer.Decode(made, false) // a special token may be among the strings
			if err != nil {
				failed = err
				return true
			}
			_, stopped := CutAt(text, a.until)
			return stopped
		}}
	}
	g := engine.Generating{Drop: o.Drop, Memory: o.Memory}
	if o.Progress != nil {
		g.Progress = func(ended, tokens int) { o.Progress(ended, len(requests), tokens) }
	}
	ids, err := generator.Generate(ctx, requests, g)
	if err == nil {
		err = failed
	}
	if err != nil {
		return nil, fmt.Errorf("bench: %w", err)
	}
	said := make([]string, len(ids))
	for i := range ids {
		text, err := s.tokenizer.Decode(ids[i], true)
		if err != nil {
			return nil, fmt.Errorf("bench: %w", err)
		}
		said[i], _ = CutAt(text, asked[i].until)
	}
	return said, nil
}

// mark judges what a model said.
func (p *prepared) mark(item *preparedItem, said []string) (Record, error) {
	r := Record{Item: item.index, Gold: item.Gold, Said: said[item.asked], Marks: p.Task.Judge(item.Item, said[item.asked])}
	for _, metric := range p.Task.Metrics {
		if mark, has := r.Marks[metric]; !has || math.IsNaN(mark) {
			return r, fmt.Errorf("%s was not judged", metric)
		}
	}
	return r, nil
}

// prompt makes a generative item: a prompt and the answers that are right, of which the first is an example's.
func prompt(text string, answers ...string) (Item, error) {
	if len(answers) == 0 {
		return Item{}, fmt.Errorf("no answers")
	}
	return Item{Pairs: []Pair{{text, delimiter + answers[0]}}, Answers: answers}, nil
}
