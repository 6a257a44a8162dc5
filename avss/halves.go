package avss

import (
	"context"

	"avssnative/engine"
)

// Halves lets searches work on halves of layers as they do on layers: half 2l is the attention of layer l, half 2l+1 its MLP. Observers of its
// passes are shown halves.
func Halves(r Runner) Runner { return halves{r} }

type halves struct{ Runner }

func (h halves) Layers() int { return 2 * h.Runner.Layers() }

func (h halves) Run(ctx context.Context, p engine.Pass) (*engine.Outcome, error) {
	p.Halves = true
	variants := make([]engine.Drop, len(p.Variants))
	for i, drop := range p.Variants {
		variants[i] = engine.Halves(drop.Layers()...)
	}
	p.Variants = variants
	return h.Runner.Run(ctx, p)
}
