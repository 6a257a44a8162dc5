package shard

// The parts of a pass as they lie in folders: found, made sure to be of this pass, waited for.

import (
	"bytes"
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"time"

	"avssnative/failure"
	"avssnative/internal/mapped"
)

// parts are those of a pass: what lies in the folders, the own one computed where it is not there. Where a merge has put all of them together before,
// what it left is the only one.
func (r *Runner) parts(ctx context.Context, h head, asked Work, compute func() (*file, error)) ([]*file, error) {
	parts, err := r.gather(h, asked.Sequences)
	if err != nil {
		return nil, err
	}
	if parts[0] != nil && parts[0].Whole {
		return parts, nil
	}
	if r.model != nil && parts[r.part.Index] == nil {
		if err := r.agreed(asked); err != nil {
			return nil, err
		}
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
		if parts, err = r.gather(h, asked.Sequences); err != nil {
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
		asked.Missing = missing
		r.open = append(r.open, asked)
		return nil, &Missing{Phase: h.Phase, Pass: h.Pass, Shards: missing, Count: h.Shards, Folders: r.folders, Merges: r.model == nil}
	}
	return parts, nil
}

// gather finds the parts of a pass and makes sure that they are of this one: one a shard, nil where it is missing, or all of them in one file.
func (r *Runner) gather(want head, sequences int) ([]*file, error) {
	parts := make([]*file, want.Shards)
	add := func(f *file) error {
		if f.Shards == want.Shards {
			if have := parts[f.Shard]; have != nil && !bytes.Equal(have.body, f.body) {
				return fmt.Errorf("shard: %s and %s are the same shard with different contents", have.path, f.path)
			}
		}
		if err := f.belongs(f.path, &want); err != nil {
			return err
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
	whole := want.whole()
	if at := slices.IndexFunc(paths, func(path string) bool { return filepath.Base(path) == whole.name() }); at >= 0 {
		paths, parts = paths[at:at+1], parts[:1]
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
