package prune

import "avssnative/engine"

// RepairFits returns why repairs of a model, each without other units, would not fit into what the process may hold, or nil: what Repair finds before
// it computes anything, for a job that has other work to do first. They are made one after the other, and each is kept. Of the text it is the
// lengths of the sequences that count.
func RepairFits(m *engine.Model, drops []engine.Drop, o RepairOptions) error {
	methods, err := o.methods()
	if err != nil || len(methods) == 0 || m.Fittable() != nil {
		return err
	}
	before, most := int64(engine.Later), int64(0)
	for _, drop := range drops {
		if len(drop) == 0 {
			continue
		}
		bytes, kept, err := takes(m, drop, methods, o)
		if err != nil {
			return err
		}
		most = max(most, before+bytes)
		before += kept
	}
	if most == 0 {
		return nil
	}
	return m.Fits(most, toRepair)
}

// toRepair is what the room is for.
const toRepair = "to solve the layers that stay anew"

// fits returns why the methods do not fit into what the process may hold, or nil.
func fits(m *engine.Model, drop engine.Drop, methods []RepairMethod, o RepairOptions) error {
	if m.Fittable() != nil {
		return nil
	}
	bytes, _, err := takes(m, drop, methods, o)
	if err != nil {
		return err
	}
	return m.Fits(bytes, toRepair)
}

// takes is what the methods take at most, each beside what those before it have left, and what the one that is kept leaves at most.
func takes(m *engine.Model, drop engine.Drop, methods []RepairMethod, o RepairOptions) (most, kept int64, err error) {
	before := int64(0)
	for _, method := range methods {
		bytes, left, err := m.Takes(fitOf(drop, method, o, begin()), o.Parts)
		if err != nil {
			return 0, 0, err
		}
		most, kept = max(most, before+bytes), max(kept, left)
		before += left
	}
	return most, kept, nil
}
