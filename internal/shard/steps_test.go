package shard

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"avssnative/engine"
	"avssnative/failure"
)

// noModel is one of which nothing is asked.
type noModel struct{}

func (noModel) Run(context.Context, engine.Pass) (*engine.Outcome, error) {
	return nil, errors.New("a pass was run")
}

func (noModel) Layers() int { return 4 }

// chain is a fit of three steps: the parts write their number and what the step before came to, and a step comes to all that was written, in order.
func chain(ctx context.Context, s *Steps, summed *int) (string, error) {
	before := ""
	for step := range 3 {
		known, err := s.Known(step)
		if err != nil {
			return "", err
		}
		if known == nil {
			own := func(part int) string { return fmt.Sprintf("%d after %q;", part, before) }
			index, _ := s.Part()
			all := ""
			known, err = s.Settle(ctx, step, engine.Settling{
				Size:  int64(len(own(index))),
				Write: func(to io.Writer) error { *summed++; _, err := io.WriteString(to, own(index)); return err },
				Read: func(part int, from io.Reader) error {
					data, err := io.ReadAll(from)
					if err == nil && string(data) != own(part) {
						err = fmt.Errorf("part %d holds %q", part, data)
					}
					all += string(data)
					return err
				},
				Finish: func() ([]byte, error) { return []byte(all), nil },
			})
			if err != nil {
				return "", err
			}
		}
		before = string(known)
	}
	return before, nil
}

// fitOf is the chain as a part makes it in a folder, or as a merge of some folders does where there is no part.
func fitOf(t *testing.T, p Part, summed *int, folders ...string) (*Runner, string, error) {
	t.Helper()
	var r *Runner
	if p.Count > 0 {
		r = part(t, noModel{}, folders[0], p)
	} else {
		var err error
		if r, err = Merge(t.Context(), 0, folders...); err != nil {
			return nil, "", err
		}
		r.Note("model", "m")
	}
	s, err := r.Steps("a fit", "asked")
	if err != nil {
		t.Fatal(err)
	}
	found, err := chain(t.Context(), s, summed)
	return r, found, err
}

// A step that has been settled since it was asked for is no damaged sum.
func TestStepsSettledMeanwhile(t *testing.T) {
	dir, summed := t.TempDir(), 0
	if _, _, err := fitOf(t, Part{0, 1}, &summed, dir); err != nil {
		t.Fatal(err)
	}
	s, err := part(t, noModel{}, dir, Part{0, 1}).Steps("a fit", "asked")
	if err != nil {
		t.Fatal(err)
	}
	if paths, missing, err := s.parts(s.head(0)); !gone(err) {
		t.Errorf("%v, %v, %v: want that there are no sums any more", paths, missing, err)
	}
}

// Parts that wait for one another come to the same, whoever settles a step.
func TestStepsAtOnce(t *testing.T) {
	var all sync.WaitGroup
	for range 40 {
		dir := t.TempDir()
		for i := range 4 {
			r := part(t, noModel{}, dir, Part{i, 4})
			r.Wait = time.Minute
			s, err := r.Steps("a fit", "asked")
			if err != nil {
				t.Fatal(err)
			}
			all.Go(func() {
				summed := 0
				if _, err := chain(t.Context(), s, &summed); err != nil || summed != 3 {
					t.Errorf("part %d: %v, summed up %d times", i, err, summed)
				}
			})
		}
	}
	all.Wait()
}

// The parts of a fit come to the same in a folder that they share and in folders of their own, which see what merges have settled; each sums up every step
// once, and no sums are left.
func TestStepsOfAFit(t *testing.T) {
	for _, n := range []int{1, 2, 3, 7} {
		want := ""
		for _, apart := range []bool{false, true} {
			dir, summed := t.TempDir(), 0
			folder := func(i int) string {
				if apart {
					return filepath.Join(dir, fmt.Sprint(i))
				}
				return dir
			}
			var folders []string
			for i := range n {
				if i == 0 || apart {
					folders = append(folders, folder(i))
				}
			}
			for round := 0; ; round++ {
				for _, i := range rand.New(rand.NewPCG(uint64(n), uint64(round))).Perm(n) {
					_, _, err := fitOf(t, Part{i, n}, &summed, folder(i))
					if lacks := (*Missing)(nil); err != nil && !errors.As(err, &lacks) {
						t.Fatal(err)
					}
				}
				r, found, err := fitOf(t, Part{}, &summed, folders...)
				lacks := (*Missing)(nil)
				if errors.As(err, &lacks) {
					if _, err := r.Decide(lacks); err != nil {
						t.Fatal(err)
					}
					continue
				}
				if err != nil {
					t.Fatal(err)
				}
				if want == "" {
					want = found
				}
				if found != want || !strings.Contains(found, fmt.Sprintf("%d after", n-1)) {
					t.Errorf("%d parts, apart %t: %q, want %q", n, apart, found, want)
				}
				break
			}
			if summed != 3*n {
				t.Errorf("%d parts, apart %t: %d sums of 3 steps", n, apart, summed)
			}
			for i := range n { // all is known
				if _, found, err := fitOf(t, Part{i, n}, &summed, folder(i)); !apart && (found != want || err != nil || summed != 3*n) {
					t.Errorf("%d parts: part %d comes to %q, %v", n, i, found, err)
				}
			}
			if left, _ := filepath.Glob(filepath.Join(dir, "*."+fmt.Sprint(n-1)+"-of-*")); !apart && len(left) > 0 {
				t.Errorf("%d parts: sums are left: %v", n, left)
			}
		}
	}
}

// Sums that are missing, cut short, damaged, of another fit or there twice are named.
func TestStepsRefuseOtherSums(t *testing.T) {
	begin := func(t *testing.T) (dir, path string) {
		dir, summed := t.TempDir(), 0
		_, _, err := fitOf(t, Part{0, 2}, &summed, dir)
		lacks := (*Missing)(nil)
		if !errors.As(err, &lacks) || fmt.Sprint(lacks.Shards) != "[1]" {
			t.Fatal(err)
		}
		if _, _, err := fitOf(t, Part{}, &summed, dir); err == nil || !strings.Contains(err.Error(), "a fit 0 (pass 0): shards 1 of 2 are missing") {
			t.Errorf("a merge of half of the sums: %v", err)
		}
		return dir, filepath.Join(dir, "a-fit-0-0.0-of-2.shard")
	}
	change := func(t *testing.T, path string, change func([]byte) []byte) {
		t.Helper()
		data, err := os.ReadFile(path)
		if err == nil {
			err = os.WriteFile(path, change(data), 0o666)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	for name, how := range map[string]func([]byte) []byte{
		"truncated":      func(b []byte) []byte { return b[:len(b)-40] },
		"its head":       func(b []byte) []byte { b[prelude] = '['; return b },
		"damaged":        func(b []byte) []byte { b[len(b)-1]++; return b },
		"too many":       func(b []byte) []byte { return append(b, 0) },
		"does not begin": func(b []byte) []byte { return b[1:] },
	} {
		dir, path := begin(t)
		change(t, path, how)
		summed := 0
		if _, _, err := fitOf(t, Part{1, 2}, &summed, dir); !errors.Is(err, failure.Corrupt) || !strings.Contains(err.Error(), path) ||
			!strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
	dir, path := begin(t)
	r := part(t, noModel{}, dir, Part{1, 2})
	s, err := r.Steps("a fit", "asked otherwise")
	if err != nil {
		t.Fatal(err)
	}
	summed := 0
	if _, err := chain(t.Context(), s, &summed); err == nil || !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), "something else") {
		t.Errorf("another fit: %v", err)
	}
	dir, path = begin(t)
	other := t.TempDir()
	h := s.head(0)
	h.Shard, h.Key = 0, part(t, noModel{}, other, Part{0, 2}).keyOf(t)
	if err := writeStream(other, h, 5, func(w io.Writer) error { _, err := io.WriteString(w, "other"); return err }); err != nil {
		t.Fatal(err)
	}
	if _, _, err := fitOf(t, Part{}, &summed, dir, other); err == nil || !strings.Contains(err.Error(), "the same shard with different contents") ||
		!strings.Contains(err.Error(), path) {
		t.Errorf("the same part twice: %v", err)
	}
}

// keyOf is what the first step of the chain is asked for.
func (r *Runner) keyOf(t *testing.T) string {
	s, err := r.Steps("a fit", "asked")
	if err != nil {
		t.Fatal(err)
	}
	return s.keys[0]
}
