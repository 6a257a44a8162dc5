package prune

import "avssnative/engine"

// later is what a process holds more by the time that it repairs than before it has computed anything: pages of the program, scratch, scores.
const later = 16 << 20

// RepairFits returns why a repair of a model without some units would not fit into what the process may hold, or nil: what Repair finds before it
// computes anything, for a job that has other work to do first. Of the text it is the lengths of the sequences that count.
func RepairFits(m *engine.Model, drop engine.Drop, o RepairOptions) error {
	methods, err := o.methods()
	if err != nil || len(methods) == 0 || len(drop) == 0 {
		return err
	}
	return fits(m, drop, methods, o, later)
}

// fits returns why the methods, and so many bytes more, do not fit into what the process may hold, or nil. Each method keeps what the ones before
// it have left.
func fits(m *engine.Model, drop engine.Drop, methods []RepairMethod, o RepairOptions, more int64) error {
	if m.Fittable() != nil {
		return nil
	}
	before, most := int64(0), int64(0)
	for _, method := range methods {
		bytes, kept, err := m.Takes(fitOf(drop, method, o, begin()), o.Parts)
		if err != nil {
			return err
		}
		most = max(most, before+bytes)
		before += kept
	}
	return m.Fits(most+more, "to solve the layers that stay anew")
}
