package shard

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"avssnative/engine"
)

// few is a pass of less sequences than there are shards, which compares variants; what it has to know first is made once a shard.
func few(m *engine.Model, prepared *int) engine.Pass {
	p := engine.Pass{Sequences: texts(m, true)[2:4], Variants: []engine.Drop{nil}, Diverge: true}
	for l := range 8 {
		p.Variants = append(p.Variants, engine.Layers(l, l+4))
	}
	p.Prepare = func(ctx context.Context, p *engine.Pass) error {
		*prepared++
		streams, err := m.Streams(ctx, p.Sequences, nil)
		if err == nil {
			p.Known = streams.Last()
		}
		return err
	}
	return p
}

func TestPartsShareOutVariantsWhereSequencesAreFew(t *testing.T) {
	m := openDemo(t)
	prepared := 0
	want, err := m.Run(t.Context(), few(m, &prepared))
	if err != nil {
		t.Fatal(err)
	}
	for n := 1; n <= 7; n++ {
		folder := t.TempDir()
		prepared = 0
		var got *engine.Outcome
		for _, i := range rand.New(rand.NewPCG(uint64(n), 5)).Perm(n) {
			got, err = part(t, m, folder, Part{i, n}).Compare(t.Context(), few(m, &prepared))
		}
		if err != nil || !reflect.DeepEqual(got.Scores, want.Scores) {
			t.Errorf("%d shards: other scores than of a single run: %v", n, err)
		}
		if prepared != n {
			t.Errorf("%d shards: %d times was made what a pass has to know", n, prepared)
		}
		r, err := merged(t, m, folder)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := r.Compare(t.Context(), few(m, &prepared)); err != nil || !reflect.DeepEqual(got.Scores, want.Scores) || prepared != n {
			t.Errorf("%d shards merged: other scores than of a single run, or something was computed: %v", n, err)
		}
	}
}

func TestCellsCoverAPassOnce(t *testing.T) {
	r := rand.New(rand.NewPCG(8, 8))
	for range 300 {
		sequences, variants, n := make([]engine.Sequence, 1+r.IntN(9)), 1+r.IntN(12), 1+r.IntN(20)
		for i := range sequences {
			sequences[i].IDs = make([]int32, 1+r.IntN(50))
		}
		seen := map[[2]int]int{}
		for i := range n {
			c := Part{i, n}.cell(sequences, variants, true)
			if c.from == 0 && c.to == 0 {
				t.Fatalf("part %d of %d of %d sequences and %d variants: %v stands for all variants in a file", i, n, len(sequences), variants, c)
			}
			for s := c.first; s < c.end; s++ {
				for v := c.from; v < c.to; v++ {
					seen[[2]int{s, v}]++
				}
			}
		}
		for s := range sequences {
			for v := range variants {
				if seen[[2]int{s, v}] != 1 {
					t.Fatalf("%d parts: sequence %d of %d, variant %d of %d is done %d times", n, s, len(sequences), v, variants, seen[[2]int{s, v}])
				}
			}
		}
	}
}

// twoRounds is a job whose second pass and whose text follow from its first pass.
func twoRounds(ctx context.Context, m *engine.Model, r *Runner) (string, error) {
	first := passes(m)[1]
	o, err := r.Run(ctx, first)
	if err != nil {
		return "", err
	}
	second := first
	second.Variants = []engine.Drop{nil, engine.Layers(int(-o.Scores[1][0].LogLikelihood) % m.Layers())}
	o, err = r.Run(ctx, second)
	if err != nil {
		return "", err
	}
	pieces, err := r.Keep(ctx, "saying", "", func(p Part) ([]byte, error) { return []byte(p.String()), nil })
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("%v %q", o.Scores, pieces), nil
}

// Shards that see nothing of each other go on from what merges have decided; a merge that can decide nothing new fails.
func TestShardsGoOnFromWhatAMergeHasDecided(t *testing.T) {
	m := openDemo(t)
	together := t.TempDir()
	want := ""
	for range 3 {
		for i := range 3 {
			want, _ = twoRounds(t.Context(), m, part(t, m, together, Part{i, 3}))
		}
	}
	folders := []string{t.TempDir(), t.TempDir(), t.TempDir()}
	shard := func(i int) error {
		got, err := twoRounds(t.Context(), m, part(t, m, folders[i], Part{i, 3}))
		if err == nil && got != want {
			t.Errorf("shard %d finds\n%s\nwant\n%s", i, got, want)
		}
		return err
	}
	merge := func() (string, *Round, error) {
		r, err := merged(t, m, folders...)
		if err != nil {
			t.Fatal(err)
		}
		found, err := twoRounds(t.Context(), m, r)
		missing := (*Missing)(nil)
		if errors.As(err, &missing) {
			round, err := r.Decide(missing)
			return "", round, err
		}
		if err == nil {
			err = r.Finish()
		}
		return found, nil, err
	}
	for round, next := range []string{"a phase 1 [0 1 2]", "saying 0 [0 1 2]"} {
		for i := range folders[:2] {
			if err := shard(i); err == nil {
				t.Fatalf("round %d: shard %d has all", round, i)
			}
		}
		if _, decided, err := merge(); decided != nil || err == nil || !strings.Contains(err.Error(), "shards 2 of 3 are missing") {
			t.Errorf("round %d lacks a shard: %+v, %v", round, decided, err)
		}
		if err := shard(2); err == nil {
			t.Fatalf("round %d: shard 2 has all", round)
		}
		_, decided, err := merge()
		if err != nil || len(decided.Decided) != 1 || len(decided.Next) != 1 {
			t.Fatalf("round %d: %+v, %v", round, decided, err)
		}
		if got := fmt.Sprint(decided.Next[0].Phase, " ", decided.Next[0].Pass, " ", decided.Next[0].Missing); got != next {
			t.Errorf("round %d: next is %s, want %s", round, got, next)
		}
	}
	// What was decided is another job's.
	path := filepath.Join(folders[0], workFile)
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(strings.Replace(string(data), `"key": "`, `"key": "f`, 3)), 0o666); err != nil {
		t.Fatal(err)
	}
	wantError(t, shard(0), path, "saying (pass 0)", "something else")
	if err := os.WriteFile(path, data, 0o666); err != nil {
		t.Fatal(err)
	}
	for i := range folders {
		if err := shard(i); err == nil {
			t.Fatalf("the last round: shard %d has all", i)
		}
	}
	got, _, err := merge()
	if err != nil || got != want {
		t.Errorf("merged: %s, want %s: %v", got, want, err)
	}
	if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the job is done, and %s is there: %v", path, err)
	}
}
