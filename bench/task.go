package bench

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"avssnative/avss"
	"avssnative/failure"
	"avssnative/internal/nearest"
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

// A Task is data: what it is called, which version of its rules this is, where its items lie, and how they are read.
type Task struct {
	Name    string
	Group   string // a name that stands for several tasks; empty: none
	Version string // another one where the same items would give other figures
	Papers  []avss.Citation
	Kind    Kind
	Metrics []string      // what it reports, in order, of what its kind can; nil: all of that
	Primary string        // the one of Metrics that retention is about; "": acc, or token_perplexity, or perplexity
	Chance  float64       // share of right answers by guessing; 0: one in as many as there are choices
	Files   []string      // looked for in turn below the data folder; nil: NAME/NAME.jsonl
	Hub     Published     // where the split that is asked is published as a table; zero: nowhere that is known
	Inside  func() []byte // the file's bytes where the program carries them; nil: it does not
	Read    Reader        // nil: the standard form
	Chunk   int           // tokens in a chunk, for Chunked
	Half    bool          // only the second half of a chunk is scored, after BOS: llama.cpp's way
	Late    bool          // only the second half of a chunk is scored, and a chunk longer than the model's context is an error
	Length  int           // of passkey retrieval: tokens that contexts are filled up to
	// LeadOnce takes the BOS that the tokenizer puts in front of a rolled document as its context. The peer puts another in front of that and
	// scores the first, which says nothing of the document and moves the figures of short ones.
	LeadOnce  bool
	Until     []string // for Generate: an answer ends before the first of these
	MaxTokens int      // for Generate: an answer has at most so many tokens; 0: 256
	// Judge says for Generate what an answer is worth by each metric, 0 or 1.
	Judge func(item Item, said string) map[string]float64

	undecided bool // the kind is that of the first item
}

// Published names a split of a data set on the Hugging Face hub.
type Published struct {
	Repository string // org/name
	Config     string // one of those the repository holds: "default" where it names none; "": its only one
	Split      string // "test"
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
	Key     string   // of passkey retrieval: the number,
	Depth   float64  // and where in the text it stands, from 0 to 1
}

// A Pair is a context and what may follow it.
type Pair struct{ Context, Continuation string }

var registry = map[string]Task{}

// able is what each kind can report, and which of it retention is about.
var able = map[Kind]struct {
	metrics []string
	primary string
}{
	Choice:  {[]string{"acc", "acc_norm"}, "acc"},
	Cloze:   {[]string{"perplexity", "acc"}, "acc"},
	Rolling: {rollingMetrics, "token_perplexity"},
	Chunked: {[]string{"perplexity"}, "perplexity"},
	// What is reported of answers in a model's own words is what their task's Judge gives; this is that of a task of one's own.
	Generate: {[]string{ownMetric}, ownMetric},
}

// taskName is what a task may be called, so that its name can stand in a list between commas and before an equals sign.
var taskName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_.-]*$`)

// Register adds a task, from a file's init. A definition that cannot be one is a programmer's mistake and panics: a name that is taken or no
// name, no version, metrics that its kind does not have.
func Register(t Task) {
	t = t.completed()
	if why := t.wrong(); why != "" {
		panic("bench: task " + t.Name + ": " + why)
	}
	registry[t.Name] = t
}

// completed fills in what the kind says.
func (t Task) completed() Task {
	kind := able[t.Kind]
	if t.Metrics == nil {
		t.Metrics = kind.metrics
	}
	if t.Primary == "" {
		t.Primary = kind.primary
	}
	if t.Files == nil {
		t.Files = []string{t.Name + "/" + t.Name + ".jsonl"}
	}
	if t.Read == nil {
		t.Read = standard
	}
	if t.Kind == Generate && t.Judge == nil && len(t.Metrics) == 1 && t.Metrics[0] == ownMetric {
		t.Judge = judgeOwn
	}
	return t
}

func (t Task) wrong() string {
	group, _ := find(t.Name)
	for _, m := range t.Metrics {
		if t.Kind != Generate && !slices.Contains(able[t.Kind].metrics, m) {
			return fmt.Sprintf("reports %s, and its kind can report %v", m, able[t.Kind].metrics)
		}
	}
	_, named := registry[t.Group]
	switch {
	case len(group) > 0 || named || t.Group == t.Name:
		return "or its group has a name that is taken"
	case !taskName.MatchString(t.Name) || t.Group != "" && !taskName.MatchString(t.Group):
		return "or its group is no name: want letters, digits, _, . and -"
	case t.Version == "":
		return "has no version"
	case t.Kind == Generate && t.Judge == nil:
		return "lets the model answer in its own words, and has no Judge of them"
	case !slices.Contains(t.Metrics, t.Primary):
		return fmt.Sprintf("is about %s, which is none of %v", t.Primary, t.Metrics)
	case t.Chance < 0 || t.Chance >= 1:
		return fmt.Sprintf("%v are right by guessing, want a share below 1", t.Chance)
	}
	return ""
}

// Names lists the tasks and groups of tasks known by name, in alphabetical order, and the two families of perplexity.
func Names() []string {
	var names []string
	for name, t := range registry {
		names = append(names, name)
		if t.Group != "" {
			names = append(names, t.Group)
		}
	}
	slices.Sort(names)
	return append(slices.Compact(names), "chunk-N", "llamacpp-N", "passkey-N", "position-N")
}

// Bibliography is the papers of some tasks' results, each once.
func Bibliography(results []Result) []avss.Citation {
	var all []avss.Citation
	for i := range results {
		for _, p := range results[i].Papers {
			if !slices.Contains(all, p) {
				all = append(all, p)
			}
		}
	}
	return all
}

// group lists the tasks of a group by name.
func group(name string) []Task {
	var members []Task
	for _, t := range registry {
		if t.Group == name {
			members = append(members, t)
		}
	}
	slices.SortFunc(members, func(a, b Task) int { return strings.Compare(a.Name, b.Name) })
	return members
}

// find returns the tasks a name stands for: a task, a group, or perplexity over WikiText-2 in chunks of N tokens. A name that nobody
// registered is failure.NotFound.
func find(name string) ([]Task, error) {
	if t, ok := registry[name]; ok {
		return []Task{t}, nil
	}
	if members := group(name); name != "" && len(members) > 0 {
		return members, nil
	}
	for _, family := range []struct {
		prefix string
		make   func(int) Task
	}{{"chunk-", ChunkPerplexity}, {"llamacpp-", LlamaCppPerplexity}, {"passkey-", Passkey}, {"position-", PositionPerplexity}} {
		if digits, ok := strings.CutPrefix(name, family.prefix); ok {
			size, err := strconv.Atoi(digits)
			if err != nil || size < 4 || size > 1<<20 {
				return nil, fmt.Errorf("bench: task %s: want 4 to %d tokens, as in %s512", name, 1<<20, family.prefix)
			}
			return []Task{family.make(size)}, nil
		}
	}
	known := Names()
	hint := ""
	if near := nearest.Name(name, known); near != "" {
		hint = fmt.Sprintf("did you mean %s? ", near)
	}
	return nil, failure.NotFound.Errorf("bench: task %s: unknown; %sknown are %s", name, hint, strings.Join(known, ", "))
}

// Lookup returns the tasks that names stand for, each once, in the order given; NAME=FILE is none of them.
func Lookup(names []string) ([]Task, error) {
	var tasks []Task
	for _, name := range names {
		if strings.Contains(name, "=") {
			continue
		}
		found, err := find(strings.TrimSpace(name))
		if err != nil {
			return nil, err
		}
		for _, task := range found {
			if !slices.ContainsFunc(tasks, func(t Task) bool { return t.Name == task.Name }) {
				tasks = append(tasks, task)
			}
		}
	}
	return tasks, nil
}

// ofFile is the task of a file that a person names for one nobody registered: the standard form, of the kind that its lines are of.
func ofFile(name string) (Task, error) {
	if !taskName.MatchString(name) {
		return Task{}, fmt.Errorf("bench: task %q: is no name: want letters, digits, _, . and -", name)
	}
	return Task{Name: name, Version: "file", Files: []string{name + ".jsonl"}, Read: standard, undecided: true}, nil
}
