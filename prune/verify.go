package prune

import (
	"bytes"
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"avssnative/engine"
	"avssnative/engine/arch"
)

// verify opens the written model and compares its logits, bit for bit, with those of the pass that leaves the layers out.
func verify(ctx context.Context, m *engine.Model, drop engine.Drop, path string, repair *engine.Repair) error {
	written, err := m.Sibling(ctx, path)
	if err != nil {
		return fmt.Errorf("the written model does not open: %w", err)
	}
	defer written.Close()
	if m.Computable() != nil {
		return copied(m, drop, written)
	}
	sequences := probes(m.Spec)
	want, err := logits(ctx, m, sequences, drop, repair)
	if err != nil {
		return err
	}
	m.LetGo()
	got, err := logits(ctx, written, sequences, nil, nil)
	if err != nil {
		return fmt.Errorf("the written model does not run: %w", err)
	}
	for i := range want {
		for j := range want[i] {
			if math.Float32bits(want[i][j]) != math.Float32bits(got[i][j]) {
				return fmt.Errorf("the written model computes other logits than the pass without layers %s: sequence %d, value %d: %g, want %g",
					drop, i, j, got[i][j], want[i][j])
			}
		}
	}
	return nil
}

// copied compares what was written, tensor by tensor and byte by byte, with what it was to be: all there is for a model that cannot be computed.
func copied(m *engine.Model, drop engine.Drop, written *engine.Model) error {
	stay, count := drop.Without(m.Layers()), 0
	if written.Layers() != len(stay) {
		return fmt.Errorf("the written model has %d layers, want %d", written.Layers(), len(stay))
	}
	for _, name := range m.Tensors.Names() {
		to, stays := m.Spec.Renumber(name, stay)
		if !stays {
			continue
		}
		count++
		want, _ := m.Tensors.Lookup(name)
		got, found := written.Tensors.Lookup(to)
		if !found || got.Type != want.Type || !slices.Equal(got.Shape, want.Shape) || !bytes.Equal(got.Data, want.Data) {
			return fmt.Errorf("the written model's tensor %s is not tensor %s of the model", to, name)
		}
		m.Tensors.Discard([]string{name})
		written.Tensors.Discard([]string{to})
	}
	if n := len(written.Tensors.Names()); n != count {
		return fmt.Errorf("the written model has %d tensors, want %d", n, count)
	}
	return nil
}

// probes are short sequences of arbitrary tokens, the same every time.
func probes(s *arch.Spec) []engine.Sequence {
	r := rand.New(rand.NewPCG(2411, 2117))
	sequences := make([]engine.Sequence, 3)
	for i := range sequences {
		length := 5 + 7*i
		if s.Context > 0 {
			length = min(length, s.Context)
		}
		for range length {
			sequences[i].IDs = append(sequences[i].IDs, int32(r.IntN(s.Vocab)))
		}
	}
	return sequences
}

func logits(ctx context.Context, m *engine.Model, sequences []engine.Sequence, drop engine.Drop, repair *engine.Repair) ([][]float32, error) {
	all := make([][]float32, len(sequences))
	_, err := m.Run(ctx, engine.Pass{Sequences: sequences, Variants: []engine.Drop{drop}, Repairs: []*engine.Repair{repair}, Trace: func(t engine.TraceTensor) error {
		if t.Name == "logits" {
			all[t.Sequence] = append([]float32{}, t.Values...)
		}
		return nil
	}})
	return all, err
}
