package job

import (
	"bytes"
	"context"
	"encoding/gob"

	"avssnative/engine"
	"avssnative/engine/device"
	"avssnative/engine/weights"
	"avssnative/failure"
	"avssnative/internal/shard"
	"avssnative/prune"
)

// A repair is worth keeping whole: a job that was killed behind it does not solve it again. Several parts make it together, step by step, and keep
// what each step came to instead.

// keptRepair is a repair as bytes carry it.
type keptRepair struct {
	Method  prune.RepairMethod
	Trials  []prune.Trial
	Types   map[string]int
	Tensors []keptTensor
	Linear  map[int]keptTensor // maps in the place of attentions, by layer
}

type keptTensor struct {
	Name  string
	Type  device.DType
	Shape []int
	Data  []byte
}

// keepRepair answers a repair from the folder of a job that has one; asked is what it depends on.
func (j *Job) keepRepair(ctx context.Context, asked any, solve func() (*prune.Repaired, error)) (*prune.Repaired, error) {
	if j.shared == nil || j.parted() {
		return solve()
	}
	pieces, err := j.shared.Keep(ctx, "repair", asked, func(shard.Part) ([]byte, error) {
		r, err := solve()
		if err != nil {
			return nil, err
		}
		kept := keptRepair{Method: r.Method, Trials: r.Trials, Types: r.Types, Linear: map[int]keptTensor{}}
		for _, layer := range r.Repair.Linears() {
			s, _ := r.Repair.LinearOf(layer)
			kept.Linear[layer] = keptTensor{Type: s.Type, Data: s.Data}
		}
		for _, name := range r.Repair.Names() {
			s := r.Repair.Stored(name)
			kept.Tensors = append(kept.Tensors, keptTensor{s.Name, s.Type, s.Shape, s.Data})
		}
		var out bytes.Buffer
		err = gob.NewEncoder(&out).Encode(kept)
		return out.Bytes(), err
	})
	if err != nil {
		return nil, err
	}
	return j.takeRepair(pieces[0])
}

// takeRepair reads what keepRepair wrote.
func (j *Job) takeRepair(data []byte) (*prune.Repaired, error) {
	var kept keptRepair
	if err := gob.NewDecoder(bytes.NewReader(data)).Decode(&kept); err != nil {
		return nil, failure.Corrupt.Errorf("the repair that was kept: %w", err)
	}
	r := &prune.Repaired{Method: kept.Method, Trials: kept.Trials, Types: kept.Types}
	var repair *engine.Repair
	for _, t := range kept.Tensors {
		if _, found := j.Model.Tensors.Lookup(t.Name); !found {
			return nil, failure.Corrupt.Errorf("the repair that was kept: tensor %q: the model has none of that name", t.Name)
		}
		if repair == nil {
			repair = j.Model.NewRepair()
		}
		repair.Set(weights.Stored{Name: t.Name, Type: t.Type, Shape: t.Shape, Data: t.Data})
	}
	for layer, t := range kept.Linear {
		if repair == nil {
			repair = j.Model.NewRepair()
		}
		if err := repair.Linear(layer, weights.Stored{Type: t.Type, Data: t.Data}); err != nil {
			return nil, failure.Corrupt.Errorf("the repair that was kept: %w", err)
		}
	}
	r.Repair, r.Linear = repair, repair.Linears()
	return r, nil
}
