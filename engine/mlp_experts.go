package engine

import (
	"avssnative/engine/arch"
	"avssnative/engine/device"
)

func (f *forward) experts(e *arch.ExpertsSpec, x device.Tensor) device.Tensor {
	rows, top := x.Rows(), e.Routing.Top
	router := f.linear(x, &e.Router)
	logits := make([]float32, rows*len(e.Experts))
	f.device.Download(logits, router, 0)
	f.give(router)
	plan := plan(&e.Routing, logits, f.weights.values[&e.Correction], len(e.Experts))

	in, act, out := f.pool.take(rows*top, x.Cols()), f.pool.take(rows*top, e.Inner), f.pool.take(rows*top, x.Cols())
	f.device.Gather(in, x, plan.tokens)
	if e.Routing.OnInput {
		f.device.Scale(in, 1, plan.weights)
	}
	for i := range e.Experts {
		if n := plan.start[i+1] - plan.start[i]; n > 0 {
			expert, at := &e.Experts[i], plan.start[i]
			f.activated(expert, act.Slice(at, n), in.Slice(at, n))
			f.product(out.Slice(at, n), act.Slice(at, n), &expert.Down)
		}
	}
	f.give(in)

	sum, part := f.pool.take(rows, x.Cols()), f.pool.take(rows, x.Cols())
	for rank := range top {
		to := part
		if rank == 0 {
			to = sum
		}
		f.device.Gather(to, out, plan.places[rank])
		if !e.Routing.OnInput {
			f.device.Scale(to, 1, plan.byRank[rank])
		}
		if rank > 0 {
			f.device.Add(sum, sum, part, 1)
		}
	}
	f.give(part, out)
	shared := f.shared(e, sum, x)
	f.act = f.seen(e, act, shared, plan, rows)
	f.give(act, shared)
	return sum
}

// shared adds the shared expert's result to sum and returns what entered its output projection; nil where there is none.
func (f *forward) shared(e *arch.ExpertsSpec, sum, x device.Tensor) device.Tensor {
	if e.Shared == nil {
		return nil
	}
	out := f.gated(e.Shared, x)
	if e.SharedGate.Weight.Name != "" {
		gate := f.linear(x, &e.SharedGate)
		values := make([]float32, gate.Rows())
		f.device.Activate(gate, gate, nil, device.Activation{Kind: device.Sigmoid})
		f.device.Download(values, gate, 0)
		f.device.Scale(out, 1, values)
		f.give(gate)
	}
	f.device.Add(sum, sum, out, 1)
	f.give(out)
	return f.act
}

// seen is what observers are shown.
func (f *forward) seen(e *arch.ExpertsSpec, act, shared device.Tensor, plan *routed, rows int) device.Tensor {
	width := len(plan.places) * e.Inner
	all := width
	if shared != nil {
		all += shared.Cols()
	}
	seen := f.pool.take(rows, all)
	for rank, places := range plan.places {
		f.device.Gather(seen.Columns(rank*e.Inner, e.Inner), act, places)
	}
	if shared != nil {
		f.device.Columns(seen, shared, []device.Move{{From: 0, To: width, Count: shared.Cols()}})
	}
	return seen
}
