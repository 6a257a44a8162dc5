package engine_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"avssnative/engine"
)

// table is where the processes of a joint fit leave what they have, in memory.
type table struct {
	count   int
	sums    map[[2]int][]byte // by step and part
	settled map[int][]byte
	walked  int // parts of steps that were summed up
}

// seat is one process's place.
type seat struct {
	*table
	index  int
	merges bool
}

var errMissing = errors.New("sums are missing")

func (s seat) Part() (index, count int) { return s.index, s.count }

func (s seat) Merges() bool { return s.merges }

func (s seat) Known(step int) ([]byte, error) { return s.settled[step], nil }

func (s seat) Settle(_ context.Context, step int, o engine.Settling) ([]byte, error) {
	if at := [2]int{step, s.index}; !s.merges && s.sums[at] == nil {
		var out bytes.Buffer
		if err := o.Write(&out); err != nil {
			return nil, err
		}
		if int64(out.Len()) != o.Size {
			return nil, fmt.Errorf("%d bytes were written, %d announced", out.Len(), o.Size)
		}
		s.sums[at] = append([]byte{}, out.Bytes()...)
		s.walked++
	}
	for i := range s.count {
		if s.sums[[2]int{step, i}] == nil {
			return nil, errMissing
		}
	}
	for i := range s.count {
		if err := o.Read(i, bytes.NewReader(s.sums[[2]int{step, i}])); err != nil {
			return nil, err
		}
	}
	data, err := o.Finish()
	if err == nil {
		s.settled[step] = data
	}
	return data, err
}

// counter solves like a ridge regression of nothing but the diagonal, by a strength that grows with every layer: what it does hangs on all that it
// did before.
type counter struct{ Layers int }

func (c *counter) solve(_ context.Context, l *engine.LinearFit) (*engine.Solution, error) {
	c.Layers++
	if c.Layers%5 == 0 {
		return nil, nil
	}
	s := &engine.Solution{Weight: slices.Clone(l.Weight)}
	for i := range s.Weight {
		xx := l.Sums.XX[i%l.Sums.In*(l.Sums.In+1)] + l.Held.XX[i%l.Sums.In*(l.Sums.In+1)]
		s.Weight[i] += float32((l.Sums.EX[i] + 1e-3*(l.Dense-l.Pruned)) / (float64(10*c.Layers) * (xx + 1)))
	}
	if l.Bias != nil {
		s.Bias = slices.Clone(l.Bias)
		for i := range s.Bias {
			s.Bias[i] += float32(l.Sums.E[i] / (10 * (l.Sums.Ones + 1)))
		}
	}
	return s, nil
}

// Processes that share the text of a fit come to the bits of one that has all of it, however many there are, in whatever order they come, and though
// each begins again whenever something is missing; of mixtures too. A merge that walks nothing comes to them as well.
func TestJointFitIsASingleOne(t *testing.T) {
	for _, name := range []string{"llama", "qwen2", "mixtral", "gpt-oss", "deepseek-v2"} {
		t.Run(name, func(t *testing.T) {
			m := open(t, "testdata/architectures/"+name, "cpu")
			var sequences []engine.Sequence
			for i := range uint64(40) {
				sequences = append(sequences, engine.Sequence{IDs: random(i, 3+int(i%9), m.Spec.Vocab)})
			}
			fit := func(j engine.Joint) (string, error) {
				c := &counter{}
				drop := engine.Layers(m.Layers() - 2)
				r, err := m.Fit(t.Context(), engine.Fit{Sequences: sequences, Drop: drop, Inner: true, Solve: c.solve, State: c, Joint: j})
				return fmt.Sprint(r.Fingerprint(), c.Layers), err
			}
			want, err := fit(nil)
			if err != nil {
				t.Fatal(err)
			}
			counts := []int{1, 2, 3}
			if !testing.Short() {
				counts = []int{1, 2, 3, 4, 5, 6, 7, 20}
			}
			for _, n := range counts {
				on, got := &table{count: n, sums: map[[2]int][]byte{}, settled: map[int][]byte{}}, ""
				for round := 0; got == ""; round++ {
					for _, i := range rand.New(rand.NewPCG(uint64(n), uint64(round))).Perm(n) {
						if got, err = fit(seat{on, i, false}); errors.Is(err, errMissing) {
							got = ""
						} else if err != nil {
							t.Fatal(err)
						}
					}
				}
				for i := range n {
					walked := on.walked
					if again, err := fit(seat{on, i, i == 0}); err != nil || again != want || on.walked != walked {
						t.Errorf("%d processes: process %d comes to %s, alone %s, %d sums; %v", n, i, again, want, on.walked-walked, err)
					}
				}
				clear(on.settled)
				if again, err := fit(seat{on, 0, true}); err != nil || again != want {
					t.Errorf("%d processes: a merge comes to %s, alone %s; %v", n, again, want, err)
				}
				if steps := len(on.settled); on.walked != n*steps {
					t.Errorf("%d processes: %d sums of %d steps", n, on.walked, steps)
				}
			}
		})
	}
}

// Sums that are cut short, or longer than they are, are none.
func TestJointFitRefusesBrokenSums(t *testing.T) {
	m := open(t, "testdata/architectures/llama", "cpu")
	for _, change := range []func([]byte) []byte{
		func(b []byte) []byte { return b[:len(b)-1] },
		func(b []byte) []byte { return b[:0] },
		func(b []byte) []byte { return append(b, 0) },
		func(b []byte) []byte { return append([]byte{9}, b[1:]...) },
	} {
		on := &table{count: 2, sums: map[[2]int][]byte{}, settled: map[int][]byte{}}
		fit := engine.Fit{Sequences: mixed()[:2], Drop: engine.Layers(1), Solve: (&counter{}).solve, Joint: seat{on, 0, false}}
		for i := range fit.Sequences {
			fit.Sequences[i] = engine.Sequence{IDs: random(uint64(i), 9, 97)}
		}
		if _, err := m.Fit(t.Context(), fit); !errors.Is(err, errMissing) {
			t.Fatal(err)
		}
		on.sums[[2]int{0, 0}] = change(on.sums[[2]int{0, 0}])
		fit.Joint = seat{on, 1, false}
		if _, err := m.Fit(t.Context(), fit); err == nil || errors.Is(err, errMissing) {
			t.Errorf("broken sums were taken: %v", err)
		}
	}
}
