package prune

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"avssnative/avss"
	"avssnative/engine"
	"avssnative/engine/device"
	"avssnative/engine/weights"
)

// Repair without training: the layers that stay are changed in closed form, so that the pruned model comes nearer to the dense one, and a repair is
// kept only where it does so on text that it was not fitted on.

// RepairMethod names a way to repair.
type RepairMethod string

const (
	RepairNone  RepairMethod = "none"
	RepairScale RepairMethod = "scale" // one factor a gap
	RepairLstsq RepairMethod = "lstsq" // one matrix a gap
	RepairRefit RepairMethod = "refit" // the output projections of all layers behind the first gap
	RepairFull  RepairMethod = "full"  // their inner linear layers too
	RepairAuto  RepairMethod = "auto"  // the one of these that is nearest to the dense model

	// RepairLinear is what trials call linear maps in the place of attentions alone, the layers that stay being as they are. It is asked for by
	// RepairOptions.Linear.
	RepairLinear RepairMethod = "linear"
)

// RepairMethods are what can be asked for.
var RepairMethods = []RepairMethod{RepairNone, RepairScale, RepairLstsq, RepairRefit, RepairFull, RepairAuto}

// ParseRepair reads a method's name.
func ParseRepair(text string) (RepairMethod, error) {
	if m := RepairMethod(text); slices.Contains(RepairMethods, m) {
		return m, nil
	}
	var names []string
	for _, m := range RepairMethods {
		names = append(names, string(m))
	}
	return "", fmt.Errorf("prune: repair %.40q: unknown; known: %s", text, strings.Join(names, ", "))
}

// RepairOptions say how a pruned model shall be repaired.
type RepairOptions struct {
	Method   RepairMethod
	Linear   bool              // linear maps come in the place of attentions that go alone (NBL), whatever the method
	Fit      []engine.Sequence // text to fit on
	Held     []engine.Sequence // text to judge by
	Progress func(method RepairMethod, s engine.Step)
	Memory   int64 // of the judging pass; 0: the engine's choice
	// Joint begins what a method's fit shares with other processes that repair the same, and Judge runs the pass that judges; nil: this one does all
	// by itself.
	Joint func(RepairMethod) (engine.Joint, error)
	Judge avss.Runner
	Parts int // of how many processes this is one; 0: of none
}

// Trial is how near a method came to the dense model.
type Trial struct {
	Method  RepairMethod `json:"method"`
	KL      float64      `json:"kl"`                // KL(dense ‖ repaired), nats a token of the text kept apart
	SameTop float64      `json:"same_top"`          // share of rows with the dense model's most likely token
	Experts *Experts     `json:"experts,omitempty"` // nil: there are none to be solved
	Note    string       `json:"note,omitempty"`    // why it could not be done; the numbers are then zero
}

// Repaired is what came of a repair.
type Repaired struct {
	Method RepairMethod   `json:"method"`           // the one kept; none where no method came nearer than the plain cut
	Trials []Trial        `json:"trials"`           // the plain cut first
	Types  map[string]int `json:"types"`            // tensors replaced, by the type they are stored in
	Linear []int          `json:"linear,omitempty"` // layers in the place of whose attention a linear map came
	Repair *engine.Repair `json:"-"`                // nil for none
}

// Repair fits and judges repairs of a model without some units. Replaced tensors have the type of those they replace, as they will be written.
func Repair(ctx context.Context, m *engine.Model, drop engine.Drop, o RepairOptions) (*Repaired, error) {
	o.Linear = o.Linear && slices.ContainsFunc(drop, func(u engine.Unit) bool { return u.Part == engine.Attention })
	methods, err := o.methods()
	if err != nil || len(methods) == 0 {
		return &Repaired{Method: RepairNone}, err
	}
	if len(drop) == 0 {
		return nil, errors.New("prune: nothing is dropped, so there is nothing to repair")
	}
	if err := fits(m, drop, methods, o); err != nil {
		return nil, err
	}
	names, repairs := []RepairMethod{RepairNone}, []*engine.Repair{nil, nil} // of the dense model and the plain cut
	variants, experts := []engine.Drop{nil, drop}, []*Experts{nil}
	var failed []Trial
	for _, method := range methods {
		r, mixed, err := fit(ctx, m, drop, method, o)
		if errors.Is(err, engine.ErrNoFit) {
			failed = append(failed, Trial{Method: method, Note: err.Error()})
			continue
		}
		if err != nil {
			return nil, err
		}
		names, repairs, variants, experts = append(names, method), append(repairs, r), append(variants, drop), append(experts, mixed)
	}
	trials, err := judge(ctx, m, variants, repairs, names, o)
	if err != nil {
		return nil, err
	}
	best := 0
	for i := range trials {
		trials[i].Experts = experts[i]
		if trials[i].KL < trials[best].KL {
			best = i
		}
	}
	out := &Repaired{Method: trials[best].Method, Trials: append(trials, failed...), Types: map[string]int{}}
	if out.Repair = repairs[best+1]; out.Repair != nil {
		for _, name := range out.Repair.Names() {
			out.Types[string(out.Repair.Stored(name).Type)]++
		}
		out.Linear = out.Repair.Linears()
		for _, layer := range out.Linear {
			w, _ := out.Repair.LinearOf(layer)
			out.Types[string(w.Type)]++
		}
	}
	return out, nil
}

// methods are those to be tried.
func (o RepairOptions) methods() ([]RepairMethod, error) {
	var methods []RepairMethod
	if o.Linear {
		methods = append(methods, RepairLinear)
	}
	switch o.Method {
	case "", RepairNone:
	case RepairAuto:
		methods = append(methods, RepairLstsq, RepairRefit, RepairFull)
	case RepairScale:
		if o.Linear {
			return nil, errors.New("prune: repair scale shortens what is added behind a gap, which linear maps are fitted without: take lstsq, refit or full beside them")
		}
		fallthrough
	default:
		methods = append(methods, o.Method)
	}
	return methods, nil
}

// fitOf is how a method has layers solved, going on from some progress.
func fitOf(drop engine.Drop, method RepairMethod, o RepairOptions, from *progress) engine.Fit {
	f := engine.Fit{Sequences: o.Fit, Drop: drop, Linear: o.Linear, LinearAlone: method == RepairLinear, State: from, Progress: func(s engine.Step) {
		if o.Progress != nil {
			o.Progress(method, s)
		}
	}}
	switch method {
	case RepairScale:
		f.Solve, f.Lengths = scaleGaps(from), true
	case RepairLstsq:
		f.Solve, f.Gaps = leastSquares(from), true
	case RepairRefit:
		f.Solve = refit(from)
	case RepairFull:
		f.Solve, f.Inner = refit(from), true
	}
	if o.Linear {
		f.Solve = linearMaps(from, f.Solve)
	}
	return f
}

// fit makes one method's repair, in the types that the tensors are stored in, and counts experts; nil: there were none.
func fit(ctx context.Context, m *engine.Model, drop engine.Drop, method RepairMethod, o RepairOptions) (*engine.Repair, *Experts, error) {
	from := begin()
	with := fitOf(drop, method, o, from)
	if o.Joint != nil {
		var err error
		if with.Joint, err = o.Joint(method); err != nil {
			return nil, nil, err
		}
	}
	exact, err := m.Fit(ctx, with)
	if err != nil {
		return nil, nil, err
	}
	experts := &from.Experts
	if experts.Solved+experts.Left == 0 {
		experts = nil
	}
	stored := m.NewRepair()
	for _, layer := range exact.Linears() {
		now, _ := exact.LinearOf(layer)
		kind, err := m.LinearType(layer)
		if err != nil {
			return nil, nil, err
		}
		if now, err = inType(now, kind); err == nil {
			err = stored.Linear(layer, now)
		}
		if err != nil {
			return nil, nil, fmt.Errorf("prune: the linear map of layer %d: %w", layer, err)
		}
	}
	for _, name := range exact.Names() {
		was, _ := m.Tensors.Lookup(name)
		now, err := inType(exact.Stored(name), was.Type)
		if err != nil {
			return nil, nil, fmt.Errorf("prune: repair of %s: %w", name, err)
		}
		stored.Set(now)
	}
	return stored, experts, nil
}

// inType is a tensor in another type; itself where it has been solved in that.
func inType(s weights.Stored, kind device.DType) (weights.Stored, error) {
	if s.Type == kind {
		return s, nil
	}
	count := 1
	for _, n := range s.Shape {
		count *= n
	}
	values, err := weights.Decode(s, 0, count)
	if err != nil {
		return s, err
	}
	s.Data, err = weights.Encode(kind, values)
	s.Type = kind
	return s, err
}

// judge measures how near the variants behind the dense model come to it.
func judge(ctx context.Context, m *engine.Model, variants []engine.Drop, repairs []*engine.Repair, names []RepairMethod, o RepairOptions) ([]Trial, error) {
	held := make([]engine.Sequence, len(o.Held))
	for i, s := range o.Held {
		held[i] = engine.Sequence{IDs: s.IDs, ScoreFrom: 1, ScoreTo: len(s.IDs)}
	}
	var runner avss.Runner = m
	if o.Judge != nil {
		runner = o.Judge
	}
	outcome, err := runner.Run(ctx, engine.Pass{Sequences: held, Variants: variants, Repairs: repairs, Diverge: true, Memory: o.Memory, Progress: func(s engine.Step) {
		if o.Progress != nil {
			o.Progress("judging", s)
		}
	}})
	if err != nil {
		return nil, err
	}
	var trials []Trial
	for i, name := range names {
		var sum engine.Score
		for _, s := range outcome.Scores[i+1] {
			sum = sum.Add(s.Score)
		}
		trials = append(trials, Trial{Method: name, KL: sum.KL / float64(sum.Tokens), SameTop: float64(sum.SameTop) / float64(sum.Tokens)})
	}
	return trials, nil
}
