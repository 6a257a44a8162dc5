package engine

import (
	"bytes"
	"context"
	"fmt"

	"avssnative/engine/arch"
	"avssnative/engine/weights"
)

// ShortConfig is the model's configuration when only the kept layers (ascending) remain.
func (m *Model) ShortConfig(kept []int) (map[string]any, error) {
	config, err := m.Spec.Short(m.Config, kept)
	if err == nil && m.Untied() {
		m.Spec.Untie(config)
	}
	return config, err
}

// Untied says whether the files hold a head that differs from the embedding table though the configuration ties the two. The stored one counts.
func (m *Model) Untied() bool {
	if !m.Spec.Head.Untied {
		return false
	}
	head, _ := m.Tensors.Lookup(m.Spec.Head.Output.Weight.Name)
	table, _ := m.Tensors.Lookup(m.Spec.Embed.Table.Name)
	defer m.Tensors.Discard([]string{head.Name, table.Name})
	return head.Type != table.Type || !bytes.Equal(head.Data, table.Data)
}

// Size counts parameters and bytes of the stored tensors, of the dense model or without the units dropped.
func (m *Model) Size(drop Drop) (parameters, bytes int64) {
	gone := map[string]bool{}
	for _, u := range drop {
		if u.Layer < 0 || u.Layer >= m.Layers() {
			continue
		}
		block := &m.Spec.Blocks[u.Layer]
		switch u.Part {
		case Attention:
			block.AttentionRefs(func(r *arch.Ref) { gone[r.Name] = true })
		case MLP:
			block.MLPRefs(func(r *arch.Ref) { gone[r.Name] = true })
		}
	}
	for _, stored := range weights.File(m.Tensors) {
		if layer, _, inside := m.Spec.BlockOf(stored.Name); inside && (drop.of(layer) == Layer || gone[stored.Name]) {
			continue
		}
		count := int64(1)
		for _, n := range stored.Shape {
			count *= int64(n)
		}
		parameters += count
		bytes += int64(len(stored.Data))
	}
	return parameters, bytes
}

// bytes is the size of all tensors as they are computed with.
func (m *Model) bytes() int64 {
	total := int64(0)
	for _, stored := range weights.File(m.Tensors) {
		stored, found := m.Tensors.Lookup(stored.Name)
		if total += int64(len(stored.Data)); found && stored.Widened() {
			values := int64(4)
			for _, n := range stored.Shape {
				values *= int64(n)
			}
			total += values
		}
	}
	return total
}

// Sibling opens another model with the options of this one.
func (m *Model) Sibling(ctx context.Context, ref string) (*Model, error) {
	s, err := Open(ctx, ref, m.options)
	if err != nil {
		return nil, fmt.Errorf("%w (opened like %s)", err, m.Ref)
	}
	return s, nil
}
