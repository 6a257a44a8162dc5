package arch

import (
	"avssnative/engine/device"
)

// DeltaSpec is the gated delta rule as a mixer (arXiv 2412.06464; Qwen3-Next): queries, keys and values pass a short convolution and an
// activation, the rule runs along the sequence, every head's result is normed and gated.
type DeltaSpec struct {
	Q, K, V, Z                Linear // Z: the gate of the result
	Beta, Decay               Linear // hidden → heads
	KernelQ, KernelK, KernelV Ref    // [channels × width]
	LogA, TimeBias            Ref    // a head: decay g = −exp(LogA)·softplus(Decay(x) + TimeBias)
	Norm                      NormSpec
	O                         Linear
	Activation                device.Activation // behind the convolution
	Heads, KeyHeads           int
	KeyDim, ValueDim          int

	Decaying bool // LogA holds −exp(LogA)
	Tiled    bool // head h is of key head h mod KeyHeads; else each key head has the next Heads/KeyHeads heads
}

func (s *DeltaSpec) Refs(visit func(*Ref)) {
	for _, l := range []*Linear{&s.Q, &s.K, &s.V, &s.Z, &s.Beta, &s.Decay, &s.O} {
		l.Refs(visit)
	}
	for _, r := range []*Ref{&s.KernelQ, &s.KernelK, &s.KernelV, &s.LogA, &s.TimeBias} {
		visit(r)
	}
	s.Norm.Refs(visit)
}
