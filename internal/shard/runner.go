package shard

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
	"time"

	"avssnative/engine"
	"avssnative/failure"
	"avssnative/internal/mapped"
)

// Model is what computes; *engine.Model is one.
type Model interface {
	Run(context.Context, engine.Pass) (*engine.Outcome, error)
	Layers() int
}

// Runner stands where a model runs passes, and answers them from a folder.
type Runner struct {
	Wait time.Duration // for parts that have not come yet, a pass; 0: not at all

	model   Model // nil: nothing is computed, what is missing is an error
	layers  int
	part    Part
	folders []string
	origin  Origin
	facts   []Fact
	phase   string
	passes  map[string]int // how many each phase has asked for
	tried   bool           // the folder takes files

	decided []sealed // of a merge: passes whose parts are all there, put together here for the first time
	settled []Work   // of a merge: steps of fits that shards have settled
	open    []Work   // passes of which parts are missing
}

// room is what a folder must take before anything is computed for it, in bytes: more than most passes leave.
const room = 1 << 20

// Compute is a runner that computes a part of every pass and leaves it in a folder, which is made if it is not there. What lies there already is
// not computed again; what killed runs were writing there goes.
func Compute(m Model, p Part, folder string, origin Origin) (*Runner, error) {
	if err := os.MkdirAll(folder, 0o777); err != nil {
		return nil, fmt.Errorf("shard: %w", err)
	}
	if err := mapped.Tidy(folder); err != nil {
		return nil, fmt.Errorf("shard: %w", err)
	}
	return &Runner{model: m, layers: m.Layers(), part: p, folders: []string{folder}, origin: origin, passes: map[string]int{}}, nil
}

// Merge is a runner that computes nothing: all passes come from the parts in some folders. Parts of different jobs, parts of jobs taken apart
// differently, damaged ones and such as are there twice with different contents are refused by name.
// Where there is nothing yet it waits so long, and then at every pass.
func Merge(ctx context.Context, wait time.Duration, folders ...string) (*Runner, error) {
	var paths []string
	err := poll(ctx, wait, func() (done bool, err error) {
		paths, err = list(folders, nil)
		return len(paths) > 0 || err != nil && (wait <= 0 || !errors.Is(err, fs.ErrNotExist)), err
	})
	if err != nil {
		return nil, err
	}
	r := &Runner{Wait: wait, folders: folders, passes: map[string]int{}}
	var first *head
	var where string
	for _, path := range paths {
		h, err := look(path)
		if gone(err) {
			continue // sums of a step that has been settled in the meantime
		}
		if err != nil {
			return nil, err
		}
		if first == nil {
			first, where = h, path
			continue
		}
		if h.Shards != first.Shards {
			return nil, fmt.Errorf("shard: %s is of a job in %d shards, %s of one in %d", path, h.Shards, where, first.Shards)
		}
		if err := h.agree(path, first.Facts, "in "+where); err != nil {
			return nil, err
		}
	}
	if first == nil {
		return nil, failure.NotFound.Errorf("shard: %s: %w in it: run the job with --shard i/n --state DIR", strings.Join(folders, ", "), errNone)
	}
	r.part.Count, r.origin = first.Shards, first.Origin
	return r, nil
}

// look reads a part's head, and makes sure of its body where that is not long.
func look(path string) (*head, error) {
	s, err := openStream(path)
	if err != nil {
		return nil, err
	}
	s.file.Close()
	if s.Sums {
		return &s.head, nil
	}
	f, err := read(path)
	if err != nil {
		return nil, err
	}
	return &f.head, nil
}

// Over lets a merge know how many layers the model has.
func (r *Runner) Over(layers int) { r.layers = layers }

// Origin is what the parts carry along.
func (r *Runner) Origin() Origin { return r.origin }

// Part is which part is computed; of a merge its Count alone says something.
func (r *Runner) Part() Part { return r.part }

// Merges says that nothing is computed.
func (r *Runner) Merges() bool { return r.model == nil }

// Note adds a fact that all parts must have in common.
func (r *Runner) Note(name, value string) { r.facts = append(r.facts, Fact{name, value}) }

// NoteSettings is Note of anything that JSON can carry.
func (r *Runner) NoteSettings(name string, settings any) error {
	text, err := json.Marshal(settings)
	if err != nil {
		return fmt.Errorf("shard: %s: %w", name, err)
	}
	r.Note(name, string(text))
	return nil
}

// Phase says what a person calls the passes that follow.
func (r *Runner) Phase(name string) { r.phase = name }

// Layers is the number of the model's layers.
func (r *Runner) Layers() int { return r.layers }

// Missing is the error of a pass of which parts have not come yet.
type Missing struct {
	Phase   string
	Pass    int
	Shards  []int // that are missing
	Count   int
	Folders []string
	Merges  bool // nothing was computed; otherwise the own part of the pass was, or lay there
}

func (m *Missing) Error() string {
	where := strings.Join(m.Folders, ", ")
	if m.Merges {
		return fmt.Sprintf("shard: %s: %s (pass %d): shards %s of %d are missing: run them with --shard i/%d --state", where, m.Phase, m.Pass, Ranges(m.Shards), m.Count, m.Count)
	}
	return fmt.Sprintf("shard: %s: %s (pass %d) is there; shards %s of %d are still to come", where, m.Phase, m.Pass, Ranges(m.Shards), m.Count)
}

// Ranges writes ascending numbers as 0–2,5.
func Ranges(numbers []int) string {
	var parts []string
	for i := 0; i < len(numbers); {
		j := i
		for j+1 < len(numbers) && numbers[j+1] == numbers[j]+1 {
			j++
		}
		if j == i {
			parts = append(parts, fmt.Sprint(numbers[i]))
		} else {
			parts = append(parts, fmt.Sprintf("%d–%d", numbers[i], numbers[j]))
		}
		i = j + 1
	}
	return strings.Join(parts, ",")
}

// next is the head of a phase's next pass.
func (r *Runner) next(phase, asked string) head {
	h := head{Phase: phase, Pass: r.passes[phase], Key: asked, Shard: r.part.Index, Shards: r.part.count(), Facts: slices.Clone(r.facts), Origin: r.origin}
	r.passes[phase]++
	return h
}
