package engine

import (
	"context"

	"avssnative/engine/device"
)

// Sequence is a run of tokens that starts at position zero, and perhaps several ways to go on from its end.
type Sequence struct {
	IDs []int32
	// IDs[ScoreFrom:ScoreTo] are scored, each on the row before it; ScoreFrom ≥ 1 unless nothing is scored (ScoreTo = 0).
	ScoreFrom, ScoreTo int
	// Branches continue IDs, each on its own; all their tokens are scored, the first on the last row of IDs. The rows of IDs are computed once.
	Branches [][]int32
	// Silent sequences are not shown to observers. A sequence with branches must be silent where there are observers.
	Silent bool
}

// Pass says what one walk through the model does.
type Pass struct {
	Sequences []Sequence
	Variants  []Drop    // what to score; nil: the dense model alone. Observers and traces see the first, divergence is from the first
	Repairs   []*Repair // what each variant computes with instead of the model's own tensors; nil, or shorter: none
	Observe   []Observer
	Halves    bool // observers are shown halves of layers: 2l is the attention of layer l, 2l+1 its MLP; see Measurement
	// Known is the stream that leaves the last block of the first variant, a sequence [its tokens × hidden], where a walk before this one has shown it
	// (Streams.Last): the variant is then scored without being walked. Sequences have no branches then, and nothing is observed.
	Known [][]float32
	// Prepare makes what takes work to know, as Known and promised matrices of Repairs. It is called where the pass is computed, before it is: one
	// that is answered by what was computed before needs none of it. May be nil.
	Prepare func(context.Context, *Pass) error
	Diverge bool // fill Score.KL and Score.SameTop for the variants after the first
	// Overlap is the temperature at which Score.Overlap is summed, with Diverge; 0: it is not.
	Overlap float64

	Eps      []float32 // thresholds of Moments.Below; nil: device.DefaultEps
	Relative float32   // threshold of Moments.RelativeBelow; 0: device.DefaultRelative

	Memory int64 // bytes that hidden states may take; 0: half of what the device or machine has. More variants are walked in several passes
	Rows   int   // rows computed together; 0: a good number
	Trace  func(TraceTensor) error
	// Progress is called after every batch of rows, from the goroutine of Run.
	Progress func(Step)
}

// Prepared is the pass after its Prepare, which is called no more.
func (p Pass) Prepared(ctx context.Context) (Pass, error) {
	prepare := p.Prepare
	if p.Prepare = nil; prepare == nil {
		return p, nil
	}
	err := prepare(ctx, &p)
	return p, err
}

// Observer is shown what was measured, layer by layer ascending, within a layer sequence by sequence ascending, from one goroutine.
type Observer interface {
	Wants() Wants
	Observe(*Measurement) error
}

// Wants says which costly parts of a Measurement an observer reads.
type Wants struct {
	Pooled bool // Moments.PooledVariance
	Last   bool // Measurement.Input and Output
	// Moments.RelativeBelow of SiteAttn and SiteMLP, which needs the whole row of the block's output first; −1 there where nobody wants it.
	RelativeBelow bool
}

// Measurement is one layer's effect on one sequence. In a pass of halves it is one half's: Layer is the half's number and Layers twice the
// model's; the stream goes in before the half and comes out with what it adds, SiteDelta is that, SiteBlock the stream, and other sites
// are empty. A half that the model lacks adds nothing.
type Measurement struct {
	Layer    int
	Layers   int
	Sequence int // index in Pass.Sequences
	device.SequenceMeasure
	Eps      []float32
	Relative float32
	// Input and Output are the residual stream at the last token, before and after the block: [hidden], nil unless wanted. Only valid
	// during the call.
	Input, Output []float32
}

// Score is what a run of scored tokens came to.
type Score struct {
	Tokens        int     // tokens scored
	LogLikelihood float64 // Σ log p(token), nats
	Hits          int     // tokens that were the most likely one
	KL            float64 // Σ over the rows scored: KL(first variant ‖ this one), nats
	SameTop       int     // rows whose most likely token is the first variant's
	Overlap       float64 // Σ over the rows scored: Σ min(p, q) of the first variant's distribution and this one's, at Pass.Overlap's temperature
}

// Greedy says whether greedy decoding would have given exactly these tokens.
func (s Score) Greedy() bool { return s.Hits == s.Tokens }

// Add sums two runs.
func (s Score) Add(o Score) Score {
	return Score{s.Tokens + o.Tokens, s.LogLikelihood + o.LogLikelihood, s.Hits + o.Hits, s.KL + o.KL, s.SameTop + o.SameTop,
		s.Overlap + o.Overlap}
}

// SequenceScore is what one sequence came to in one variant.
type SequenceScore struct {
	Score              // of IDs[ScoreFrom:ScoreTo]
	Branches []Score   // one a branch
	Labels   []float64 // logits of a classifier's labels; nil for a language model
}

// Outcome is what a pass found.
type Outcome struct {
	Scores [][]SequenceScore // a variant, a sequence
	// Work counts, so that sharing can be seen: blocks is the number of times a layer was applied to all sequences of a state, alone is
	// what the variants would have taken one by one; passes is how many walks the memory allowed for made necessary.
	Blocks, Alone, Passes int
	Rows                  int64 // token rows computed, all layers together
	WeightBytes           int64 // bytes of the weights computed with, read or kept by a device
}

// TraceTensor is a tensor shown to Pass.Trace: "embed", "block.0" …, "logits".
type TraceTensor struct {
	Name       string
	Sequence   int
	Rows, Cols int
	Values     []float32 // only valid during the call
}

// Step says how far a pass has come.
type Step struct {
	Layer, Layers int     // the layer in work; Layers while the head is
	Done, Total   float64 // work done and to do, in block rows
	Rows          int64   // token rows computed so far, all layers together
}
