package engine

import (
	"encoding/binary"
	"encoding/json"
	"fmt"

	"avssnative/failure"
)

// How what a step comes to lies in a file.

// settledHead is what is settled, as JSON carries it in front of the tensors: [weight, rows, bias] of each layer in bytes, −1 for none.
type settledHead struct {
	Layers  [][3]int        `json:"layers"`
	Lengths [2]float64      `json:"lengths"`
	Order   []int           `json:"order"`
	State   json.RawMessage `json:"state"`
}

// encode writes what is settled, and what solving goes on from.
func (s *settled) encode(state any) ([]byte, error) {
	k := settledHead{Lengths: s.lengths, Order: s.order}
	var tensors [][]byte
	for _, one := range s.solutions {
		sizes := [3]int{-1, -1, -1}
		if one != nil {
			for i, data := range [][]byte{bytesOf(one.Weight), one.Rows, bytesOf(one.Bias)} {
				if data != nil {
					sizes[i] = len(data)
					tensors = append(tensors, data)
				}
			}
		}
		k.Layers = append(k.Layers, sizes)
	}
	var err error
	if k.State, err = json.Marshal(state); err != nil {
		return nil, fmt.Errorf("engine: fit: %w", err)
	}
	head, err := json.Marshal(k)
	if err != nil {
		return nil, fmt.Errorf("engine: fit: %w", err)
	}
	out := append(binary.LittleEndian.AppendUint64(nil, uint64(len(head))), head...)
	for _, data := range tensors {
		out = append(out, data...)
	}
	return out, nil
}

// decodeSettled reads what encode wrote, and has solving go on from there.
func decodeSettled(data []byte, state any) (*settled, error) {
	refuse := func() (*settled, error) {
		return nil, failure.Corrupt.Errorf("engine: fit: what is kept of a step is cut short")
	}
	if len(data) < 8 || binary.LittleEndian.Uint64(data) > uint64(len(data)-8) {
		return refuse()
	}
	var k settledHead
	head := data[8 : 8+binary.LittleEndian.Uint64(data)]
	if err := json.Unmarshal(head, &k); err != nil {
		return nil, failure.Corrupt.Errorf("engine: fit: what is kept of a step: %w", err)
	}
	if state != nil {
		if err := json.Unmarshal(k.State, state); err != nil {
			return nil, failure.Corrupt.Errorf("engine: fit: what is kept of a step: %w", err)
		}
	}
	data = data[8+len(head):]
	s := &settled{lengths: k.Lengths, order: k.Order}
	for _, sizes := range k.Layers {
		var parts [3][]byte
		for i, n := range sizes {
			if n > len(data) {
				return refuse()
			}
			if n >= 0 {
				parts[i], data = data[:n:n], data[n:]
			}
		}
		one := &Solution{Weight: floatsOf(parts[0]), Rows: parts[1], Bias: floatsOf(parts[2])}
		if one.Weight == nil && one.Rows == nil && one.Bias == nil {
			one = nil
		}
		s.solutions = append(s.solutions, one)
	}
	return s, nil
}

// floatsOf reads float32 values from bytes that may lie anywhere; nil for none.
func floatsOf(data []byte) []float32 {
	if len(data) == 0 {
		return nil
	}
	values := make([]float32, len(data)/4)
	copy(bytesOf(values), data)
	return values
}
