package bench

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"slices"
	"strings"

	"avssnative/failure"
)

// A Set is a task with the items that will be asked.
type Set struct {
	Task  Task
	File  string // where the items came from
	Items []Item
	Limit Limit // for Chunked, whose chunks are only known once there is a tokenizer
	Shots int   // examples in front of each question, and
	Chat  bool  // whether questions are turns of a conversation: as Frame made them
	from  *file
}

// Limit bounds how many items of a task are asked.
type Limit struct {
	Items int    // 0: all
	Seed  uint64 // 0: the first ones; otherwise a sample, the same for the same seed. The order stays the file's
	// Except are items that are not asked, by what they ask, whatever the task: what has chosen a model must not judge it. Of them Items are taken.
	Except *Set
}

// choose returns the indices of n things that a limit keeps, ascending.
func (l Limit) choose(n int) []int {
	all := make([]int, n)
	for i := range all {
		all[i] = i
	}
	if l.Items <= 0 || l.Items >= n {
		return all
	}
	if l.Seed != 0 {
		random := rand.New(rand.NewPCG(l.Seed, uint64(n)))
		random.Shuffle(n, func(i, j int) { all[i], all[j] = all[j], all[i] })
	}
	kept := all[:l.Items]
	slices.Sort(kept)
	return kept
}

// Load reads the tasks of the given names, each once, in the order given. A name may carry a file to read instead of the task's own:
// "sst2=reviews.tsv", "chunk-512=my.txt"; a name that nobody registered is then that of a task of one's own, whose file has the standard form
// (Reader). Of a file no more is read than the limit needs, and nothing once the context has ended. What is not there is failure.NotFound, a
// file that holds no items of the task failure.Corrupt.
func Load(ctx context.Context, names []string, source Source, limit Limit) ([]Set, error) {
	if len(names) == 0 {
		return nil, failure.NotFound.Errorf("bench: no tasks named; known are %s", strings.Join(Names(), ", "))
	}
	if limit.Items < 0 {
		return nil, fmt.Errorf("bench: limit of %d items: want 0, for all, or more", limit.Items)
	}
	var sets []Set
	seen := map[string]bool{}
	for _, name := range names {
		name, path, own := strings.Cut(strings.TrimSpace(name), "=")
		found, err := find(name)
		if own && errors.Is(err, failure.NotFound) {
			var task Task
			task, err = ofFile(name)
			found = []Task{task}
		}
		if err != nil {
			return nil, err
		}
		if own && len(found) > 1 {
			return nil, fmt.Errorf("bench: task %s: stands for %d tasks, and one file was given", name, len(found))
		}
		for _, task := range found {
			if seen[task.Name] {
				continue
			}
			seen[task.Name] = true
			f, err := source.find(ctx, task, own, path)
			if err != nil {
				return nil, fmt.Errorf("bench: %s: %w", task.Name, err)
			}
			set, err := load(task, f, limit)
			if err != nil {
				return nil, err
			}
			sets = append(sets, set)
		}
	}
	return sets, nil
}

func load(task Task, f *file, limit Limit) (Set, error) {
	most := limit.Items
	if limit.Seed != 0 || limit.Except != nil || task.Kind == Chunked {
		most = 0
	}
	items, err := task.Read(f, most)
	if system := (*fs.PathError)(nil); errors.As(err, &system) || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return Set{}, fmt.Errorf("bench: %s: %w", task.Name, err)
	}
	if err == nil && len(items) == 0 {
		err = fmt.Errorf("%s: no items", f.name)
	}
	if err == nil && task.undecided {
		task.Kind, err = form(items)
		task = task.completed()
	}
	if err != nil {
		return Set{}, failure.Corrupt.Errorf("bench: %s: %w", task.Name, err)
	}
	set := Set{Task: task, File: f.name, Limit: limit, from: f}
	if task.Kind == Chunked {
		set.Items = items
		return set, nil
	}
	if items = limit.others(items); len(items) == 0 {
		return Set{}, failure.NotFound.Errorf("bench: %s: %s: all of its items are taken for something else", task.Name, f.name)
	}
	for _, i := range limit.choose(len(items)) {
		set.Items = append(set.Items, items[i])
	}
	return set, nil
}
