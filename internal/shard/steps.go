package shard

// A fit that the parts of a job make together, step by step: each leaves its sums of a step, and who finds those of all settles it and leaves what it
// comes to, from which the others go on. Then the sums are taken away: for one step at a time there are any.

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"avssnative/engine"
	"avssnative/failure"
	"avssnative/internal/mapped"
)

// Steps are those of one fit; it is an engine.Joint.
type Steps struct {
	runner *Runner
	phase  string
	keys   []string // of the steps so far and the next: it is asked for all that those before it came to
}

var _ engine.Joint = (*Steps)(nil)

// Steps begins a fit. asked is all that it depends on beside the job's facts, as JSON can carry it.
func (r *Runner) Steps(phase string, asked any) (*Steps, error) {
	text, err := json.Marshal(asked)
	if err != nil {
		return nil, fmt.Errorf("shard: %s: %w", phase, err)
	}
	which := r.next(phase+" steps", "").Pass
	sum := sha256.Sum256(text)
	return &Steps{runner: r, phase: fmt.Sprintf("%s %d", phase, which), keys: []string{hex.EncodeToString(sum[:])}}, nil
}

// Part is which part of the job this is.
func (s *Steps) Part() (index, count int) { return s.runner.part.Index, s.runner.part.count() }

// Merges says that no text is walked.
func (s *Steps) Merges() bool { return s.runner.Merges() }

// head is that of the own sums of a step.
func (s *Steps) head(step int) head {
	r := s.runner
	return head{Phase: s.phase, Pass: step, Key: s.keys[step], Shard: r.part.Index, Shards: r.part.count(), Sums: true, Facts: r.facts, Origin: r.origin}
}

// Known is what a step has come to; nil: it is not settled.
func (s *Steps) Known(step int) ([]byte, error) {
	if step >= len(s.keys) {
		return nil, fmt.Errorf("shard: %s: step %d comes behind one that is not known", s.phase, step)
	}
	h := s.head(step).whole()
	for _, folder := range s.runner.folders {
		f, err := read(filepath.Join(folder, h.name()))
		if gone(err) {
			continue
		}
		if err != nil {
			return nil, err
		}
		if err := f.belongs(f.path, &h); err != nil {
			return nil, err
		}
		b, err := decode(f.body)
		if err == nil && len(b.states) != 1 {
			err = fmt.Errorf("%d results, want one", len(b.states))
		}
		if err != nil {
			return nil, fmt.Errorf("shard: %s: %w", f.path, failure.Corrupt.Of(err))
		}
		s.note(step, b.states[0])
		if s.Merges() {
			w := work(h, nil)
			w.Missing = []int{}
			s.runner.settled = append(s.runner.settled, w)
		}
		return b.states[0], s.tidy(step)
	}
	return nil, nil
}

// note has the next step asked for what this one came to.
func (s *Steps) note(step int, result []byte) {
	sum := sha256.Sum256(append([]byte(s.keys[step]), result...))
	s.keys = append(s.keys[:step+1], hex.EncodeToString(sum[:]))
}

// tidy takes the own sums of a step away that is settled.
func (s *Steps) tidy(step int) error {
	if s.Merges() {
		return nil
	}
	h := s.head(step)
	if err := os.Remove(filepath.Join(s.runner.folders[0], h.name())); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("shard: %w", err)
	}
	return nil
}

// Settle leaves the own sums of a step, and settles it where those of all parts are there. Where some are missing the error is *Missing.
func (s *Steps) Settle(ctx context.Context, step int, o engine.Settling) ([]byte, error) {
	r, h := s.runner, s.head(step)
	asked := work(h, nil)
	if err := s.leave(h, asked, o); err != nil {
		return nil, err
	}
	var result []byte
	var paths []string
	var missing []int
	err := poll(ctx, r.Wait, func() (done bool, err error) {
		if result, err = s.Known(step); result != nil || err != nil {
			return true, err
		}
		if paths, missing, err = s.parts(h); gone(err) { // somebody has settled it in between
			result, err = s.Known(step)
			return result != nil || err != nil, err
		}
		return len(missing) == 0, err
	})
	switch {
	case err != nil || result != nil:
		return result, err
	case len(missing) > 0:
		asked.Missing = missing
		r.open = append(r.open, asked)
		return nil, &Missing{Phase: h.Phase, Pass: h.Pass, Shards: missing, Count: h.Shards, Folders: r.folders, Merges: r.model == nil}
	}
	if result, err = s.settle(paths, o); gone(err) {
		if known, failed := s.Known(step); known != nil || failed != nil {
			return known, failed
		}
	}
	if err != nil {
		return nil, err
	}
	s.note(step, result)
	h = h.whole()
	b := body{states: [][]byte{result}}
	if s.Merges() {
		r.decide(h, b)
		return result, nil
	}
	if _, err := write(r.folders[0], h, b.encode()); err != nil {
		return nil, err
	}
	return result, s.tidy(step)
}

// leave computes the own sums unless they are there.
func (s *Steps) leave(h head, asked Work, o engine.Settling) error {
	r := s.runner
	if s.Merges() {
		return nil
	}
	there, err := openStream(filepath.Join(r.folders[0], h.name()))
	if err == nil {
		defer there.file.Close()
		return there.belongs(there.path, &h)
	}
	if !gone(err) {
		return err
	}
	if err := r.agreed(asked); err != nil {
		return err
	}
	if err := mapped.Room(r.folders[0], max(room, int(o.Size))); err != nil {
		return fmt.Errorf("shard: %s (pass %d): nothing was summed up, as it could not be kept: %w", h.Phase, h.Pass, err)
	}
	return writeStream(r.folders[0], h, o.Size, o.Write)
}

// parts finds the sums of a step, one file a part, and which are missing. The error is gone where the step has been settled since it was asked for.
func (s *Steps) parts(want head) (paths []string, missing []int, err error) {
	found, err := list(s.runner.folders, &want)
	if err != nil {
		return nil, nil, err
	}
	paths = make([]string, want.Shards)
	settled := want.whole()
	for _, path := range found {
		if filepath.Base(path) == settled.name() {
			return nil, nil, fmt.Errorf("shard: %s is there: its sums are %w", path, fs.ErrNotExist)
		}
		f, err := openStream(path)
		if err != nil {
			return nil, nil, err
		}
		f.file.Close()
		if err := f.belongs(path, &want); err != nil {
			return nil, nil, err
		}
		if !f.Sums {
			return nil, nil, failure.Corrupt.Errorf("shard: %s: it holds no sums", path)
		}
		if paths[f.Shard] == "" {
			paths[f.Shard] = path
		} else if err := sameBody(paths[f.Shard], path); err != nil {
			return nil, nil, err
		}
	}
	for i, path := range paths {
		if path == "" {
			missing = append(missing, i)
		}
	}
	return paths, missing, nil
}

// sameBody wants two files to hold the same.
func sameBody(one, other string) error {
	var sums [2][]byte
	for i, path := range []string{one, other} {
		f, err := openStream(path)
		if err != nil {
			return err
		}
		sum := sha256.New()
		if _, err := io.Copy(sum, f); err != nil {
			f.file.Close()
			return fmt.Errorf("shard: %s: %w", path, err)
		}
		if err := f.end(); err != nil {
			return err
		}
		sums[i] = sum.Sum(nil)
	}
	if !bytes.Equal(sums[0], sums[1]) {
		return fmt.Errorf("shard: %s and %s are the same shard with different contents", one, other)
	}
	return nil
}

// settle adds up the sums of all parts, in their order, and solves.
func (s *Steps) settle(paths []string, o engine.Settling) ([]byte, error) {
	for i, path := range paths {
		f, err := openStream(path)
		if err != nil {
			return nil, err
		}
		failed := o.Read(i, f)
		if err := f.end(); err != nil {
			return nil, err
		}
		if failed != nil {
			return nil, fmt.Errorf("shard: %s: %w", path, failed)
		}
	}
	return o.Finish()
}
