package shard

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"avssnative/avss"
	"avssnative/engine"
	"avssnative/failure"

	_ "avssnative/engine/cpu"
	_ "avssnative/engine/weights/demo"
)

func openDemo(t testing.TB) *engine.Model {
	t.Helper()
	m, err := engine.Open(context.Background(), "demo", engine.Options{Device: "cpu"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close() })
	return m
}

// texts are sequences of several lengths, one with branches.
func texts(m *engine.Model, scored bool) []engine.Sequence {
	r := rand.New(rand.NewPCG(1, 2))
	var all []engine.Sequence
	for _, n := range []int{9, 30, 2, 17, 5} {
		s := engine.Sequence{IDs: make([]int32, n)}
		for i := range s.IDs {
			s.IDs[i] = int32(r.IntN(m.Spec.Vocab))
		}
		if scored {
			s.ScoreFrom, s.ScoreTo = 1, n
		}
		all = append(all, s)
	}
	if scored {
		all[1].Branches = [][]int32{{3}, {4, 5, 6}}
	}
	return all
}

func metrics() []engine.Observer {
	var all []engine.Observer
	for _, d := range avss.Metrics(avss.Activation) {
		all = append(all, d.New(d, avss.Options{Batch: 2}))
	}
	return all
}

// pass is what the tests take apart: a pass of metrics, and a pass of variants.
func passes(m *engine.Model) []engine.Pass {
	return []engine.Pass{{Sequences: texts(m, false), Observe: metrics()},
		{Sequences: texts(m, true), Variants: []engine.Drop{nil, engine.Layers(3), engine.Layers(3, 7)}, Diverge: true}}
}

// found is what passes came to: scores and the states of metrics.
type found struct {
	Scores [][][]engine.SequenceScore
	States [][]byte
}

func walk(t testing.TB, r Model, passes []engine.Pass) (found, error) {
	t.Helper()
	var f found
	var missing error
	for _, p := range passes {
		o, err := r.Run(context.Background(), p)
		if lacks := (*Missing)(nil); errors.As(err, &lacks) {
			missing = err
			continue
		}
		if err != nil {
			return f, err
		}
		f.Scores = append(f.Scores, o.Scores)
		for _, m := range p.Observe {
			state, err := m.(avss.Metric).MarshalBinary()
			if err != nil {
				t.Fatal(err)
			}
			f.States = append(f.States, state)
		}
	}
	return f, missing
}

func part(t testing.TB, m Model, folder string, p Part) *Runner {
	t.Helper()
	r, err := Compute(m, p, folder, Origin{Command: []string{"score"}})
	if err != nil {
		t.Fatal(err)
	}
	r.Note("model", "m")
	r.Phase("a phase")
	return r
}

func merged(t testing.TB, m *engine.Model, folders ...string) (*Runner, error) {
	t.Helper()
	r, err := Merge(context.Background(), 0, folders...)
	if err != nil {
		return nil, err
	}
	r.Over(m.Layers())
	r.Note("model", "m")
	r.Phase("a phase")
	return r, nil
}

func TestAnyNumberOfShardsInAnyOrderGiveTheBitsOfASingleRun(t *testing.T) {
	m := openDemo(t)
	want, err := walk(t, m, passes(m))
	if err != nil {
		t.Fatal(err)
	}
	for n := 1; n <= 7; n++ {
		order := rand.New(rand.NewPCG(uint64(n), 3)).Perm(n)
		folders := []string{t.TempDir(), t.TempDir()}
		for k, i := range order {
			got, err := walk(t, part(t, m, folders[0], Part{i, n}), passes(m))
			if last := k == n-1; last && err == nil && !reflect.DeepEqual(want, got) {
				t.Errorf("shard %d/%d, the last to come, has other results than a single run", i, n)
			} else if last != (err == nil) {
				t.Errorf("shard %d/%d, number %d to come: error %v", i, n, k, err)
			}
		}
		// Spread over two folders, as two machines leave them.
		paths, err := list(folders[:1], nil)
		if err != nil || len(paths) != 2*n {
			t.Fatalf("%d files, want %d: %v", len(paths), 2*n, err)
		}
		for i, path := range paths {
			if i%3 == 1 {
				if err := os.Rename(path, filepath.Join(folders[1], filepath.Base(path))); err != nil {
					t.Fatal(err)
				}
			}
		}
		r, err := merged(t, m, folders[1], folders[0])
		if err != nil {
			t.Fatal(err)
		}
		if got, err := walk(t, r, passes(m)); err != nil || !reflect.DeepEqual(want, got) {
			t.Errorf("%d shards merged are not what a single run is: %v", n, err)
		}
	}
}

func TestPartsCoverAllSequencesOnce(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 7))
	for range 200 {
		sequences := make([]engine.Sequence, r.IntN(12))
		var all, longest int
		for i := range sequences {
			sequences[i].IDs = make([]int32, 1+r.IntN(50))
			all, longest = all+len(sequences[i].IDs), max(longest, len(sequences[i].IDs))
		}
		n, at := 1+r.IntN(8), 0
		for i := range n {
			first, end := Part{i, n}.Of(sequences)
			if first != at || end < first {
				t.Fatalf("part %d of %d: %d to %d behind %d", i, n, first, end, at)
			}
			var own int
			for _, s := range sequences[first:end] {
				own += len(s.IDs)
			}
			if own*n > all+longest*n {
				t.Fatalf("part %d of %d has %d of %d tokens, the longest sequence %d", i, n, own, all, longest)
			}
			at = end
		}
		if at != len(sequences) {
			t.Fatalf("%d parts end at %d of %d", n, at, len(sequences))
		}
	}
}

// A merge that may wait sees the shards come in, the folder among them.
func TestAMergeWaits(t *testing.T) {
	m := openDemo(t)
	want, err := walk(t, m, passes(m))
	if err != nil {
		t.Fatal(err)
	}
	folder := filepath.Join(t.TempDir(), "later")
	go func() {
		for i := range 2 {
			r, err := Compute(m, Part{i, 2}, folder, Origin{})
			if err != nil {
				t.Error(err)
				return
			}
			r.Note("model", "m")
			r.Phase("a phase")
			_, _ = walk(t, r, passes(m))
		}
	}()
	r, err := Merge(context.Background(), time.Minute, folder)
	if err != nil {
		t.Fatal(err)
	}
	r.Note("model", "m")
	r.Phase("a phase")
	if got, err := walk(t, r, passes(m)); err != nil || !reflect.DeepEqual(want, got) {
		t.Errorf("waited for, the merge differs: %v", err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	if _, err := Merge(ctx, time.Hour, filepath.Join(t.TempDir(), "never")); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a cancelled wait ends with %v", err)
	}
}

func wantError(t *testing.T, err error, words ...string) {
	t.Helper()
	if err == nil {
		t.Errorf("no error, want one with %q", words)
		return
	}
	for _, word := range words {
		if !strings.Contains(err.Error(), word) {
			t.Errorf("error %q lacks %q", err, word)
		}
	}
}

func TestMergeRefusesByName(t *testing.T) {
	m := openDemo(t)
	fresh := func() string {
		folder := t.TempDir()
		for i := range 3 {
			if _, err := walk(t, part(t, m, folder, Part{i, 3}), passes(m)); i < 2 && err == nil {
				t.Fatal("a shard that lacks others has results")
			}
		}
		return folder
	}
	try := func(folders ...string) error {
		r, err := merged(t, m, folders...)
		if err != nil {
			return err
		}
		_, err = walk(t, r, passes(m))
		return err
	}
	middle := "a-phase-0.1-of-3.shard"

	missing := fresh()
	if err := os.Remove(filepath.Join(missing, middle)); err != nil {
		t.Fatal(err)
	}
	err := try(missing)
	wantError(t, err, "a phase", "shards 1 of 3 are missing", missing)
	if lacks := (*Missing)(nil); !errors.As(err, &lacks) || !slices.Equal(lacks.Shards, []int{1}) || !lacks.Merges {
		t.Errorf("%#v", err)
	}

	cut := fresh()
	path := filepath.Join(cut, middle)
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, data[:len(data)-1], 0o666); err != nil {
		t.Fatal(err)
	}
	err = try(cut)
	wantError(t, err, path, "truncated")
	if !errors.Is(err, failure.Corrupt) {
		t.Errorf("%v is not failure.Corrupt", err)
	}

	wantError(t, try(t.TempDir()), "no shards", "--shard i/n")

	several := fresh()
	if _, err := walk(t, part(t, m, t.TempDir(), Part{0, 2}), passes(m)); err == nil {
		t.Fatal("no shard is missing")
	}
	other := t.TempDir()
	_, _ = walk(t, part(t, m, other, Part{0, 2}), passes(m))
	wantError(t, try(several, other), "in 2", "in 3", filepath.Join(other, "a-phase-0.0-of-2.shard"))
	_, err = walk(t, part(t, m, several, Part{0, 2}), passes(m))
	wantError(t, err, "another folder", several)

	foreign := t.TempDir()
	r, err := Compute(m, Part{1, 3}, foreign, Origin{})
	if err != nil {
		t.Fatal(err)
	}
	r.Note("model", "another")
	r.Phase("a phase")
	_, _ = walk(t, r, passes(m))
	wantError(t, try(missing, foreign), filepath.Join(foreign, middle), "model is another", "m:")
	_, err = walk(t, part(t, m, foreign, Part{0, 3}), passes(m))
	wantError(t, err, filepath.Join(foreign, middle), "model is another", "here it is m")

	// The same shard once more is no harm, unless it says something else.
	twice := t.TempDir()
	_, _ = walk(t, part(t, m, twice, Part{1, 3}), passes(m))
	if err := try(several, twice); err != nil {
		t.Errorf("the same shard twice: %v", err)
	}
	f, err := read(filepath.Join(twice, middle))
	if err != nil {
		t.Fatal(err)
	}
	b, err := decode(f.body)
	if err != nil {
		t.Fatal(err)
	}
	b.outcome.Rows++
	if _, err := write(twice, f.head, b.encode()); err != nil {
		t.Fatal(err)
	}
	wantError(t, try(several, twice), filepath.Join(several, middle), filepath.Join(twice, middle), "different contents")

	renamed := fresh()
	if err := os.Rename(filepath.Join(renamed, middle), filepath.Join(renamed, "a-phase-0.7-of-9.shard")); err != nil {
		t.Fatal(err)
	}
	wantError(t, try(renamed), "should be called "+middle)

	// Another text.
	r, err = merged(t, m, several)
	if err != nil {
		t.Fatal(err)
	}
	changed := passes(m)
	changed[0].Sequences[2].IDs[1]++
	_, err = walk(t, r, changed)
	wantError(t, err, "a-phase-0.0-of-3.shard", "something else")
}

func TestWhatCannotBeTakenApartIsRefused(t *testing.T) {
	m := openDemo(t)
	run := func(p engine.Pass) error {
		_, err := part(t, m, t.TempDir(), Part{0, 2}).Run(context.Background(), p)
		return err
	}
	for what, p := range map[string]engine.Pass{
		"tensors":  {Sequences: texts(m, false), Trace: func(engine.TraceTensor) error { return nil }},
		"observer": {Sequences: texts(m, false), Observe: []engine.Observer{stranger{}}},
	} {
		if err := run(p); !errors.Is(err, failure.Unsupported) || !strings.Contains(err.Error(), what) {
			t.Errorf("%s: %v", what, err)
		}
	}
}

type stranger struct{}

func (stranger) Wants() engine.Wants               { return engine.Wants{} }
func (stranger) Observe(*engine.Measurement) error { return nil }

func TestParsePart(t *testing.T) {
	for text, want := range map[string]Part{"0/1": {0, 1}, "3/4": {3, 4}} {
		if got, err := ParsePart(text); err != nil || got != want {
			t.Errorf("%s: %v, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "1", "4/4", "-1/4", "0/0", "1/2/3", "a/b", fmt.Sprintf("0/%d", maxShards+1)} {
		if _, err := ParsePart(text); err == nil {
			t.Errorf("%q is taken", text)
		}
	}
}

// sample is a part's file with everything in it.
func sample(t testing.TB) []byte {
	t.Helper()
	b := &body{states: [][]byte{{1, 2, 3}, {}}}
	b.outcome.Scores = [][]engine.SequenceScore{{{Score: engine.Score{Tokens: 3, LogLikelihood: -1.5, Hits: 1, KL: 0.25, SameTop: 2},
		Branches: []engine.Score{{Tokens: 1}}, Labels: []float64{0.5}}}}
	data, err := seal(head{Phase: "p", Shards: 2, End: 1, Facts: []Fact{{"model", "m"}}}, b.encode())
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func TestEveryTruncationAndDamageIsFound(t *testing.T) {
	data := sample(t)
	if h, b, err := unseal(data); err != nil || h.Shards != 2 {
		t.Fatalf("%+v, %v", h, err)
	} else if _, err := decode(b); err != nil {
		t.Fatal(err)
	}
	for n := range data {
		if _, _, err := unseal(data[:n]); !errors.Is(err, failure.Corrupt) {
			t.Fatalf("the first %d of %d bytes: %v", n, len(data), err)
		}
		spoiled := slices.Clone(data)
		spoiled[n] ^= 0x40
		if _, _, err := unseal(spoiled); !errors.Is(err, failure.Corrupt) {
			t.Fatalf("byte %d changed: %v", n, err)
		}
	}
}

func FuzzReadPart(f *testing.F) {
	data := sample(f)
	_, b, err := unseal(data)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data)
	f.Add(b)
	f.Fuzz(func(t *testing.T, data []byte) {
		if _, _, err := unseal(data); err != nil && !errors.Is(err, failure.Corrupt) {
			t.Error(err)
		}
		// What is read is written as it was read.
		if b, err := decode(data); err == nil {
			if again, err := decode(b.encode()); err != nil || !slices.Equal(again.encode(), b.encode()) {
				t.Errorf("written again: %v", err)
			}
		}
	})
}
