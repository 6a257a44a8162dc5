package arch

// ExpertsSpec is a mixture of experts (arXiv 1701.06538): a router gives every token its few experts of many, whose results are added by
// weight. Routing is decided on the host, the same for every device: the router's logits are downloaded, the rule of routing.go chooses.
//
// What observers see at the site "act": for every token the inputs of its experts' output projections side by side, the best expert's
// first, not weighted, then the shared expert's.
type ExpertsSpec struct {
	Router     Linear // [experts × hidden]
	Correction Ref    // added to scores when experts are chosen, not to their weights; empty: none
	Routing    Routing
	Experts    []GatedSpec // alike but for their weights
	Inner      int         // columns that enter an expert's output projection
	Shared     *GatedSpec  // every token's expert; nil: none
	SharedGate Linear      // hidden → 1: its result times σ of this; empty: as it is
}

func (e *ExpertsSpec) Refs(visit func(*Ref)) {
	e.Router.Refs(visit)
	visit(&e.Correction)
	for i := range e.Experts {
		e.Experts[i].Refs(visit)
	}
	if e.Shared != nil {
		e.Shared.Refs(visit)
	}
	e.SharedGate.Refs(visit)
}
