package engine

import "fmt"

// RunFits returns why a pass would not fit into what the process may hold beside so many bytes more, or nil: what Run finds before it computes
// anything, for a job that has other work to do first. Of the text it is the lengths of the sequences that count.
func (m *Model) RunFits(p Pass, beside int64) error {
	if p.Memory > 0 {
		return nil
	}
	m.running.Lock()
	defer m.running.Unlock()
	d, err := m.bounded()
	if d == nil {
		return err
	}
	variants, _, err := distinct(p, m.Layers())
	if err != nil {
		return err
	}
	packed, err := pack(p.Sequences, m.Spec)
	if err != nil {
		return fmt.Errorf("engine: %w", err)
	}
	if p, err = p.complete(packed, m.Spec.Hidden); err != nil {
		return err
	}
	r := m.room(d)
	r.held += beside
	_, err = m.cutTo(r, d, &p, packed, p.needed(variants))
	return err
}
