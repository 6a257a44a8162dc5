package bench

import (
	"fmt"
	"math/rand/v2"
	"strings"

	"avssnative/avss"
)

// Passkey retrieval (arXiv 2305.16300): a number stands somewhere in a long text that says nothing, and is asked for at its end. acc is the share
// of numbers that greedy decoding would say, perplexity that of the number. The texts are made here, each as long as the task's tokens allow,
// with the number at depths from the beginning to the end.

// passkeys is how many numbers are asked for.
const passkeys = 20

const (
	passkeyTask = "There is an important info hidden inside a lot of irrelevant text. Find it and memorize it. I will quiz you about the important " +
		"information there.\n"
	passkeyFiller   = "The grass is green. The sky is blue. The sun is yellow. Here we go. There and back again. "
	passkeyInfo     = "\nThe pass key is %s. Remember it. %s is the pass key.\n"
	passkeyQuestion = "\nWhat is the pass key? The pass key is"
)

// Passkey asks in contexts of so many tokens, the number among them.
func Passkey(tokens int) Task {
	return Task{Name: fmt.Sprintf("passkey-%d", tokens), Version: "1.0", Kind: Cloze, Metrics: []string{"acc", "perplexity"}, Primary: "acc",
		Papers: []avss.Citation{{ArXiv: "2305.16300", Authors: "Mohtashami & Jaggi", Year: 2023,
			Title: "Landmark Attention: Random-Access Infinite Context Length for Transformers"}},
		Files: []string{"passkey/passkey.jsonl"}, Length: tokens, Inside: keys, Read: Rows(func(row struct {
			Key   string
			Depth float64
		}) (Item, error) {
			if row.Key == "" || !(row.Depth >= 0 && row.Depth <= 1) {
				return Item{}, fmt.Errorf("key %q at depth %v: want a key, and a depth of 0 to 1", row.Key, row.Depth)
			}
			item := Item{Depth: row.Depth, Key: row.Key}
			item.Pairs = []Pair{item.passkey(0)}
			return item, nil
		})}
}

// keys is the file of numbers and depths, always the same; the first few already lie far apart.
func keys() []byte {
	random := rand.New(rand.NewPCG(2305, 16300))
	var lines strings.Builder
	for i := range passkeys {
		fmt.Fprintf(&lines, "{\"key\": \"%d\", \"depth\": %v}\n", 10000+random.IntN(90000), (float64(i*7%passkeys)+0.5)/passkeys)
	}
	return []byte(lines.String())
}

// passkey is the item's text with so many pieces of filler.
func (i *Item) passkey(pieces int) Pair {
	before := int(i.Depth * float64(pieces+1))
	return Pair{passkeyTask + strings.Repeat(passkeyFiller, before) + fmt.Sprintf(passkeyInfo, i.Key, i.Key) +
		strings.Repeat(passkeyFiller, pieces-before) + passkeyQuestion, delimiter + i.Key}
}

// fill makes a passkey's text as long as its task's tokens allow.
func (s *Suite) fill(task *Task, item *Item, e *encoder) error {
	if task.Length > s.length {
		return tooLong(task.Name, s.length)
	}
	fits := func(pieces int) (bool, error) {
		context, continuation, err := e.pair(item.passkey(pieces))
		return len(context)+len(continuation) <= task.Length, err
	}
	low, high := -1, 1 // low fits
	for {
		fit, err := fits(high)
		if err != nil {
			return err
		}
		if !fit {
			break
		}
		low, high = high, 2*high
	}
	for high-low > 1 {
		middle := (low + high) / 2
		fit, err := fits(middle)
		if err != nil {
			return err
		}
		if fit {
			low = middle
		} else {
			high = middle
		}
	}
	if low < 0 {
		return fmt.Errorf("the question alone has more than %d tokens: want a longer context", task.Length)
	}
	item.Pairs = []Pair{item.passkey(low)}
	return nil
}

// tooLong says which task of the same family would fit a model.
func tooLong(name string, length int) error {
	family := name[:strings.LastIndexByte(name, '-')]
	return fmt.Errorf("the model takes %d tokens at a time: %s-%d fits", length, family, length)
}
