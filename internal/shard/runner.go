package shard

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
	"time"

	"avssnative/avss"
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
	var first *file
	for _, path := range paths {
		f, err := read(path)
		if err != nil {
			return nil, err
		}
		if first == nil {
			first = f
		} else {
			if f.Shards != first.Shards {
				return nil, fmt.Errorf("shard: %s is of a job in %d shards, %s of one in %d", f.path, f.Shards, first.path, first.Shards)
			}
			if err := f.agree(first.Facts, "in "+first.path); err != nil {
				return nil, err
			}
		}
	}
	if first == nil {
		return nil, failure.NotFound.Errorf("shard: %s: %w in it: run the job with --shard i/n --state DIR", strings.Join(folders, ", "), errNone)
	}
	r.part.Count, r.origin = first.Shards, first.Origin
	return r, nil
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
		return fmt.Sprintf("shard: %s: %s (pass %d): shards %s of %d are missing: run them with --shard i/%d --state", where, m.Phase, m.Pass, ranges(m.Shards), m.Count, m.Count)
	}
	return fmt.Sprintf("shard: %s: %s (pass %d) is there; shards %s of %d are still to come", where, m.Phase, m.Pass, ranges(m.Shards), m.Count)
}

// ranges writes ascending numbers as 0–2,5.
func ranges(numbers []int) string {
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

// Run answers a pass. Its observers must be metrics, which are empty before and hold the sums of all parts after. Where parts are missing the
// error is *Missing; the own part, if this runner computes, is in the folder then.
func (r *Runner) Run(ctx context.Context, p engine.Pass) (*engine.Outcome, error) {
	if p.Trace != nil {
		if r.model == nil || r.part.count() > 1 {
			return nil, failure.Unsupported.Errorf("shard: %s: tensors are shown by single runs alone", r.phase)
		}
		return r.model.Run(ctx, p)
	}
	metrics := make([]avss.Metric, len(p.Observe))
	for i, o := range p.Observe {
		m, ok := o.(avss.Metric)
		if !ok {
			return nil, failure.Unsupported.Errorf("shard: %s: observer %d is no metric, so its parts cannot be merged", r.phase, i)
		}
		metrics[i] = m
	}
	asked, err := key(p, metrics)
	if err != nil {
		return nil, err
	}
	h := r.next(r.phase, asked)
	parts, err := r.parts(ctx, h, len(p.Sequences), func() (*file, error) { return r.compute(ctx, p, h, metrics) })
	if err != nil {
		return nil, err
	}
	return join(parts, metrics)
}

// next is the head of a phase's next pass.
func (r *Runner) next(phase, asked string) head {
	h := head{Phase: phase, Pass: r.passes[phase], Key: asked, Shard: r.part.Index, Shards: r.part.count(), Facts: slices.Clone(r.facts), Origin: r.origin}
	r.passes[phase]++
	return h
}

// parts are those of a pass: what lies in the folders, the own one computed where it is not there.
func (r *Runner) parts(ctx context.Context, h head, sequences int, compute func() (*file, error)) ([]*file, error) {
	parts, err := r.gather(h, sequences)
	if err != nil {
		return nil, err
	}
	if r.model != nil && parts[r.part.Index] == nil {
		if !r.tried {
			if err := mapped.Room(r.folders[0], room); err != nil {
				return nil, fmt.Errorf("shard: nothing was computed, as it could not be kept: %w", err)
			}
			r.tried = true
		}
		if parts[r.part.Index], err = compute(); err != nil {
			return nil, err
		}
	}
	var missing []int
	err = poll(ctx, r.Wait, func() (bool, error) {
		if parts, err = r.gather(h, sequences); err != nil {
			return true, err
		}
		missing = nil
		for i, f := range parts {
			if f == nil {
				missing = append(missing, i)
			}
		}
		return len(missing) == 0, nil
	})
	if err != nil {
		return nil, err
	}
	if len(missing) > 0 {
		return nil, &Missing{Phase: h.Phase, Pass: h.Pass, Shards: missing, Count: h.Shards, Folders: r.folders, Merges: r.model == nil}
	}
	return parts, nil
}

// gather finds the parts of a pass and makes sure that they are of this one.
func (r *Runner) gather(want head, sequences int) ([]*file, error) {
	parts := make([]*file, want.Shards)
	add := func(f *file) error {
		switch have := parts[min(f.Shard, len(parts)-1)]; {
		case f.Shards != want.Shards:
			return fmt.Errorf("shard: %s is of a job in %d shards, this one has %d: use another folder", f.path, f.Shards, want.Shards)
		case have != nil && !bytes.Equal(have.body, f.body):
			return fmt.Errorf("shard: %s and %s are the same shard with different contents", have.path, f.path)
		}
		if err := f.agree(want.Facts, "here"); err != nil {
			return err
		}
		if f.Key != want.Key {
			return fmt.Errorf("shard: %s: %s (pass %d) was asked for something else there: a shard of another job, or one that is older than its model or text", f.path, want.Phase, want.Pass)
		}
		if f.End > sequences {
			return failure.Corrupt.Errorf("shard: %s: sequences %d to %d, of %d", f.path, f.First, f.End, sequences)
		}
		parts[f.Shard] = f
		return nil
	}
	paths, err := list(r.folders, &want)
	if err != nil {
		return nil, err
	}
	for _, path := range paths {
		f, err := read(path)
		if err != nil {
			return nil, err
		}
		if err := add(f); err != nil {
			return nil, err
		}
	}
	return parts, nil
}

// poll asks until something is done, fails or so long has gone by: at once, and then ever less often, up to every ten seconds.
func poll(ctx context.Context, wait time.Duration, ask func() (done bool, err error)) error {
	const longest = 10 * time.Second
	end := time.Now().Add(wait)
	for pause := 100 * time.Millisecond; ; pause = min(2*pause, longest) {
		done, err := ask()
		left := time.Until(end)
		if done || left <= 0 {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(min(pause, left)):
		}
	}
}

// shifted shows a metric the sequences of a part under the numbers that they have in the whole.
type shifted struct {
	avss.Metric
	by int
}

func (s shifted) Observe(m *engine.Measurement) error {
	moved := *m
	moved.Sequence += s.by
	return s.Metric.Observe(&moved)
}

// compute walks the own part of a pass and writes down what it came to.
func (r *Runner) compute(ctx context.Context, p engine.Pass, h head, metrics []avss.Metric) (*file, error) {
	h.First, h.End = r.part.Of(p.Sequences)
	var b body
	if h.First == h.End && len(p.Sequences) > 0 {
		b.outcome.Scores = make([][]engine.SequenceScore, max(1, len(p.Variants)))
	} else {
		p.Sequences = p.Sequences[h.First:h.End]
		p.Observe = nil
		for _, m := range metrics {
			p.Observe = append(p.Observe, shifted{m, h.First})
		}
		outcome, err := r.model.Run(ctx, p)
		if err != nil {
			return nil, err
		}
		b.outcome = *outcome
	}
	for _, m := range metrics {
		state, err := m.MarshalBinary()
		if err != nil {
			return nil, err
		}
		b.states = append(b.states, state)
	}
	return write(r.folders[0], h, b.encode())
}

// join puts the parts of a pass together: scores side by side, metrics in the order of the shards.
func join(parts []*file, metrics []avss.Metric) (*engine.Outcome, error) {
	all := &engine.Outcome{}
	at := 0
	for i, f := range parts {
		refuse := func(err error) (*engine.Outcome, error) { return nil, fmt.Errorf("shard: %s: %w", f.path, err) }
		b, err := decode(f.body)
		switch {
		case err != nil:
			return refuse(failure.Corrupt.Of(err))
		case f.First != at:
			return refuse(failure.Corrupt.Errorf("its sequences begin at %d, want %d", f.First, at))
		case len(b.states) != len(metrics) || i > 0 && len(b.outcome.Scores) != len(all.Scores):
			return refuse(failure.Corrupt.Errorf("%d observers and %d variants, want %d and %d", len(b.states), len(b.outcome.Scores), len(metrics), len(all.Scores)))
		}
		at = f.End
		if i == 0 {
			all.Scores = make([][]engine.SequenceScore, len(b.outcome.Scores))
		}
		for v, scores := range b.outcome.Scores {
			if len(scores) != f.End-f.First {
				return refuse(failure.Corrupt.Errorf("scores of %d sequences, want %d", len(scores), f.End-f.First))
			}
			all.Scores[v] = append(all.Scores[v], scores...)
		}
		all.Blocks, all.Alone, all.Passes = max(all.Blocks, b.outcome.Blocks), max(all.Alone, b.outcome.Alone), max(all.Passes, b.outcome.Passes)
		all.Rows += b.outcome.Rows
		all.WeightBytes += b.outcome.WeightBytes
		for k, m := range metrics {
			if err := take(m, b.states[k], i == 0); err != nil {
				return refuse(err)
			}
		}
	}
	return all, nil
}

// take adds a saved state to a metric, or puts it in the metric's place.
func take(m avss.Metric, state []byte, first bool) error {
	if first {
		return m.UnmarshalBinary(state)
	}
	other, err := avss.Load(state, avss.Options{})
	if err != nil {
		return err
	}
	return m.Merge(other)
}

// key is a hash of all that a pass is asked for, and so of all that its result depends on beside the facts.
func key(p engine.Pass, metrics []avss.Metric) (string, error) {
	sum := sha256.New()
	fmt.Fprintln(sum, len(p.Sequences))
	for _, s := range p.Sequences {
		fmt.Fprintln(sum, s.IDs, s.ScoreFrom, s.ScoreTo, s.Branches, s.Silent)
	}
	for _, v := range p.Variants {
		fmt.Fprintln(sum, "variant", v)
	}
	for _, r := range p.Repairs {
		fmt.Fprintln(sum, "repair", r.Fingerprint())
	}
	fmt.Fprintln(sum, p.Diverge, p.Eps, p.Relative, p.Halves)
	for _, m := range metrics {
		empty, err := m.MarshalBinary()
		if err != nil {
			return "", err
		}
		fmt.Fprintln(sum, m.Name(), m.Wants(), len(empty), empty)
	}
	return hex.EncodeToString(sum.Sum(nil)), nil
}
