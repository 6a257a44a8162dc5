package bench

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Kind is how a task is asked and scored.
type Kind int

const (
	// Choice compares the log-likelihoods of an item's continuations.
	Choice Kind = iota
	// Cloze scores one continuation: was it the greedy one, and how likely.
	Cloze
	// Rolling scores every token of a document, in windows that do not overlap.
	Rolling
	// Chunked cuts one long text into chunks of a fixed number of tokens.
	Chunked
	// Generate lets the model answer in its own words, and judges those.
	Generate
)

// A Task is data: what it is called, which version of its rules this is, where its items lie, and how a line becomes an item.
type Task struct {
	Name    string
	Version string
	Kind    Kind
	Metrics []string // what it reports, in order
	Primary string   // the one of Metrics that retention is about
	Files   []string // looked for in turn below the data folder
	Chunk   int      // tokens in a chunk, for Chunked
	Half    bool     // only the second half of a chunk is scored, after BOS: llama.cpp's way
	// LeadOnce takes the BOS that the tokenizer puts in front of a rolled document as its context. The peer puts another in front of that and
	// scores the first, which says nothing of the document and moves the figures of short ones.
	LeadOnce  bool
	Until     []string // for Generate: an answer ends before the first of these
	MaxTokens int      // for Generate: an answer has at most so many tokens; 0: 256
	// judge says for Generate what an answer is worth by each metric, 0 to 1.
	judge func(item Item, said string) map[string]float64
	read  func(f *file, most int) ([]Item, error)
}

// An Item is one thing a task asks.
type Item struct {
	Index   int      // place in the file, from 0
	Pairs   []Pair   // one a choice
	Lengths []int    // Unicode characters of each bare choice
	Gold    int      // the right choice
	Text    string   // what is scored from its beginning to its end, for Rolling and Chunked
	Words   int      // of the original document, split at white space
	Bytes   int      // of the original document
	Answers []string // for Generate: those that are right
	Until   []string // for Generate: instead of the task's
	Match   string   // of a task of one's own: how answers are judged
}

// A Pair is a context and what may follow it.
type Pair struct{ Context, Continuation string }

var (
	tasks  = map[string]Task{}
	groups = map[string][]string{}
)

func register(t Task) { tasks[t.Name] = t }

// Names lists the tasks and groups of tasks known by name, in alphabetical order, and the two families of perplexity.
func Names() []string {
	var names []string
	for name := range tasks {
		names = append(names, name)
	}
	for name := range groups {
		names = append(names, name)
	}
	slices.Sort(names)
	return append(names, "chunk-N", "llamacpp-N")
}

// ofPrompts is the task of a file that a person names: what it asks, the model answers in its own words.
func ofPrompts(name string) Task {
	return Task{Name: name, Version: "file", Kind: Generate, Metrics: []string{ownMetric}, Primary: ownMetric, Files: []string{name + ".jsonl"},
		judge: judgeOwn, read: rows(ownRow.item)}
}

// find returns the tasks a name stands for: a task, a group, or perplexity over WikiText-2 in chunks of N tokens.
func find(name string) ([]Task, error) {
	if t, ok := tasks[name]; ok {
		return []Task{t}, nil
	}
	if members, ok := groups[name]; ok {
		var all []Task
		for _, member := range members {
			all = append(all, tasks[member])
		}
		return all, nil
	}
	for _, family := range []struct {
		prefix string
		make   func(int) Task
	}{{"chunk-", ChunkPerplexity}, {"llamacpp-", LlamaCppPerplexity}} {
		if digits, ok := strings.CutPrefix(name, family.prefix); ok {
			size, err := strconv.Atoi(digits)
			if err != nil || size < 4 || size > 1<<20 {
				return nil, fmt.Errorf("bench: task %s: a chunk has 4 to %d tokens, as in %s512", name, 1<<20, family.prefix)
			}
			return []Task{family.make(size)}, nil
		}
	}
	known := Names()
	hint := ""
	if near := nearest(name, known); near != "" {
		hint = fmt.Sprintf("did you mean %s? ", near)
	}
	return nil, fmt.Errorf("bench: task %s: unknown; %sknown are %s", name, hint, strings.Join(known, ", "))
}

// nearest is the known name with the fewest letters to change, or nothing if more than a third would have to.
func nearest(name string, known []string) string {
	best, distance := "", len(name)/3+1
	for _, candidate := range known {
		if d := edits(name, candidate); d < distance {
			best, distance = candidate, d
		}
	}
	return best
}

// edits counts the letters to insert, delete or change to make a into b (Wagner and Fischer, 1974).
func edits(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := diagonal
			if a[i] != b[j] {
				change++
			}
			diagonal = row[j+1]
			row[j+1] = min(change, row[j]+1, diagonal+1)
		}
	}
	return row[len(b)]
}
