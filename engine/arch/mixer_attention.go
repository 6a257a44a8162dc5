package arch

import (
	"avssnative/engine/device"
)

// AttentionSpec is softmax attention over heads (arXiv 1706.03762, grouped as in arXiv 2305.13245) with everything families add to it.
type AttentionSpec struct {
	Q, K, V, O       Linear
	device.Attention // heads, scale, masks; Sinks come from SinkLogits

	SinkLogits    Ref      // a logit a head; empty: none
	QNorm, KNorm  NormSpec // on queries and keys, a whole row or (Groups) a head
	NormAfterRope bool
	Rope          *Rotary     // nil: no rotary positions here
	Clip          float32     // queries, keys and values are limited to ±Clip; 0: not
	ClipNormed    bool        // after the norms, not before
	Temperature   Temperature // queries grow with their position
	Gate          Linear      // the heads' results times σ of this; empty: as they are (Qwen3-Next)
}

// Temperature multiplies the query at position p by 1 + Beta·ln(1 + ⌊(p+Shift)/Length⌋) (Llama 4's attention temperature tuning); Length 0: not.
type Temperature struct {
	Beta, Length, Shift float64
}

func (a *AttentionSpec) Refs(visit func(*Ref)) {
	for _, l := range []*Linear{&a.Q, &a.K, &a.V, &a.O, &a.Gate} {
		l.Refs(visit)
	}
	visit(&a.SinkLogits)
	a.QNorm.Refs(visit)
	a.KNorm.Refs(visit)
}
