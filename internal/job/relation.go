package job

// Which layers of one model are those of another: what a pruned model was cut from, and what a repair left as it was.

import (
	"context"
	"crypto/sha256"
	"fmt"

	"avssnative/engine"
)

// Relation is how the layers of a model B lie in a model A.
type Relation struct {
	Shared  [][2]int `json:"shared"`            // layers of A and of B with the same tensors, both ascending, as many as there are
	Without []int    `json:"without,omitempty"` // where all layers of B are A's: those of A that it lacks
	Whole   bool     `json:"cut"`               // all layers of B are A's
}

// Relate looks for the layers of one model in another. Tensors are held to be the same where types, shapes, and their first and last 4096
// bytes are, as a model's fingerprint does.
func Relate(ctx context.Context, refA, refB string) (*Relation, error) {
	a, err := layerSums(ctx, refA)
	if err != nil {
		return nil, err
	}
	b, err := layerSums(ctx, refB)
	if err != nil {
		return nil, err
	}
	r := &Relation{Shared: common(a, b)}
	if r.Whole = len(r.Shared) == len(b); !r.Whole {
		return r, nil
	}
	next := 0
	for l := range a {
		if next < len(r.Shared) && r.Shared[next][0] == l {
			next++
		} else {
			r.Without = append(r.Without, l)
		}
	}
	return r, nil
}

// sumEdge is how much of a tensor's beginning and end is summed.
const sumEdge = 4096

// layerSums tells the layers of a model apart.
func layerSums(ctx context.Context, ref string) ([][sha256.Size]byte, error) {
	m, err := engine.Open(ctx, ref, engine.Options{})
	if err != nil {
		return nil, err
	}
	defer m.Close()
	sums := make([][sha256.Size]byte, m.Layers())
	for _, name := range m.Tensors.Names() {
		layer, rest, inside := m.Spec.BlockOf(name)
		if !inside || layer >= len(sums) {
			continue
		}
		stored, _ := m.Tensors.Lookup(name)
		edge := min(sumEdge, len(stored.Data))
		of := sha256.New()
		fmt.Fprintf(of, "%s %s %v\n", rest, stored.Type, stored.Shape)
		of.Write(stored.Data[:edge])
		of.Write(stored.Data[len(stored.Data)-edge:])
		for i, b := range of.Sum(nil) { // files list tensors in any order
			sums[layer][i] ^= b
		}
	}
	return sums, m.Check()
}

// common is the longest run of layers, with gaps, that both have in the same order.
func common(a, b [][sha256.Size]byte) [][2]int {
	longest := make([][]int, len(a)+1) // of what is left from i and from j on
	for i := range longest {
		longest[i] = make([]int, len(b)+1)
	}
	for i := len(a) - 1; i >= 0; i-- {
		for j := len(b) - 1; j >= 0; j-- {
			if longest[i][j] = max(longest[i+1][j], longest[i][j+1]); a[i] == b[j] {
				longest[i][j] = max(longest[i][j], 1+longest[i+1][j+1])
			}
		}
	}
	pairs := [][2]int{}
	for i, j := 0, 0; i < len(a) && j < len(b); {
		switch {
		case a[i] == b[j]:
			pairs = append(pairs, [2]int{i, j})
			i++
			j++
		case longest[i+1][j] >= longest[i][j+1]:
			i++
		default:
			j++
		}
	}
	return pairs
}
