package shard

// A job that goes on from its own results has rounds: its shards run, a merge finds what is complete and what is to be done next, its shards run
// again. The merge puts each complete pass together in one file, from which every shard goes on, wherever its own folder is, and says in a file of its
// own what the next passes are asked for, which the shards hold what they are about to compute against.

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"avssnative/engine"
	"avssnative/internal/mapped"
)

// Work is a pass that is to be computed.
type Work struct {
	Phase     string   `json:"phase"`
	Pass      int      `json:"pass"`      // of the phase, from 0
	Sequences int      `json:"sequences"` // that are walked; 0: it is no pass, but text that is said, or a step of a repair
	Variants  []string `json:"variants"`  // the layers that each leaves out; of the dense model none
	Missing   []int    `json:"missing"`   // shards that have not done their part
	Key       string   `json:"key"`       // a hash of all that it is asked for
}

// work is what a pass is asked for; nil: what is no pass.
func work(h head, p *engine.Pass) Work {
	w := Work{Phase: h.Phase, Pass: h.Pass, Key: h.Key, Variants: []string{}}
	if p != nil {
		w.Sequences = len(p.Sequences)
		for _, v := range p.Variants {
			w.Variants = append(w.Variants, v.String())
		}
	}
	return w
}

// Round is how far a job has come that is not done.
type Round struct {
	Shards  int    `json:"shards"`
	Decided []Work `json:"decided"` // passes that were incomplete at the merge before, and are complete
	Next    []Work `json:"next"`    // passes that are to be computed now
}

// workFile is where a merge says what is next.
const workFile = "next.json"

// sealed is a pass whose parts are together.
type sealed struct {
	head
	body
}

// decide notes that a merge has all parts of a pass, of which so far there is no file.
func (r *Runner) decide(h head, b body) {
	if r.Merges() && h.Shards > 1 {
		r.decided = append(r.decided, sealed{h.whole(), b})
	}
}

// Decide ends a merge to which parts were missing. Where passes are complete that were not at the merge before, they are put together in each of the
// folders, with the work that is next. Where none is, and shards have settled no step of a fit either, a shard has failed, and the error is the one
// that the merge ended with.
func (r *Runner) Decide(missing *Missing) (*Round, error) {
	before, err := said(r.folders[0])
	if err != nil {
		return nil, err
	}
	round := &Round{Shards: r.part.count(), Next: r.open, Decided: r.settledSince(before)}
	if len(r.decided)+len(round.Decided) == 0 {
		return nil, missing
	}
	for _, s := range r.decided {
		for _, folder := range r.folders {
			if _, err := write(folder, s.head, s.encode()); err != nil {
				return nil, err
			}
		}
		round.Decided = append(round.Decided, Work{Phase: s.Phase, Pass: s.Pass, Sequences: s.End, Key: s.Key, Variants: []string{}, Missing: []int{}})
	}
	data, err := json.MarshalIndent(round, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("shard: %w", err)
	}
	for _, folder := range r.folders {
		if err := mapped.WriteBytes(filepath.Join(folder, workFile), append(data, '\n')); err != nil {
			return nil, fmt.Errorf("shard: %w", err)
		}
	}
	return round, nil
}

// settledSince are the steps of fits that the shards have settled since the round before was said; nil: there was none.
func (r *Runner) settledSince(before *Round) []Work {
	if before == nil {
		return r.settled
	}
	at := slices.IndexFunc(r.settled, func(w Work) bool { return before.next(w) != nil })
	if at < 0 {
		return nil
	}
	return r.settled[at:]
}

// next is what is said of some work that is to be done; nil: nothing.
func (r *Round) next(w Work) *Work {
	at := slices.IndexFunc(r.Next, func(n Work) bool { return n.Phase == w.Phase && n.Pass == w.Pass })
	if at < 0 {
		return nil
	}
	return &r.Next[at]
}

// said is what the merge before has left in a folder; nil: nothing.
func said(folder string) (*Round, error) {
	path := filepath.Join(folder, workFile)
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("shard: %w", err)
	}
	round := &Round{}
	if err := json.Unmarshal(data, round); err != nil {
		return nil, fmt.Errorf("shard: %s: %w", path, err)
	}
	return round, nil
}

// Finish ends a merge to which nothing was missing: what was next is done.
func (r *Runner) Finish() error {
	for _, folder := range r.folders {
		if err := os.Remove(filepath.Join(folder, workFile)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("shard: %w", err)
		}
	}
	return nil
}

// agreed holds what a shard is about to compute against what the merge before has said.
func (r *Runner) agreed(asked Work) error {
	round, err := said(r.folders[0])
	if err != nil || round == nil {
		return err
	}
	if next := round.next(asked); next != nil && next.Key != asked.Key {
		return fmt.Errorf("shard: %s: %s (pass %d) is to be asked for something else than here: the merge was of another job",
			filepath.Join(r.folders[0], workFile), asked.Phase, asked.Pass)
	}
	return nil
}
