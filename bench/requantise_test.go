package bench

import (
	"testing"

	"avssnative/engine"
	_ "avssnative/engine/cpu"
	"avssnative/engine/device"
	_ "avssnative/engine/weights/demo"
)

// The coarser the weights, the fewer the bytes and the greater the divergence; what would not become smaller stays as it is.
func TestRequantise(t *testing.T) {
	m, err := engine.Open(t.Context(), "demo", engine.Options{Device: "cpu"})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	pass := engine.Pass{Variants: []engine.Drop{nil}, Repairs: []*engine.Repair{nil}, Diverge: true}
	for i := range 4 {
		ids := make([]int32, 64)
		for k := range ids {
			ids[k] = int32((37*i+11*k)%500 + 3)
		}
		pass.Sequences = append(pass.Sequences, engine.Sequence{IDs: ids, ScoreFrom: 1, ScoreTo: len(ids)})
	}
	_, before := m.Size(nil)
	for _, to := range []device.DType{device.Q8_0, device.Q4_K} {
		counted, err := Requantise(m, to, false)
		if err != nil {
			t.Fatal(err)
		}
		r, err := Requantise(m, to, true)
		if err != nil {
			t.Fatal(err)
		}
		if r.Repair == nil || r.Bytes != counted.Bytes || r.Held != counted.Held || r.Bytes >= before {
			t.Fatalf("%s: %+v, counted %+v of %d bytes", to, r, counted, before)
		}
		before = r.Bytes
		held := int64(0)
		for _, name := range r.Repair.Names() {
			held += int64(len(r.Repair.Stored(name).Data))
		}
		if held != r.Held {
			t.Errorf("%s: %d bytes held, %d said", to, held, r.Held)
		}
		pass.Variants, pass.Repairs = append(pass.Variants, nil), append(pass.Repairs, r.Repair)
	}
	outcome, err := m.Run(t.Context(), pass)
	if err != nil {
		t.Fatal(err)
	}
	last := 0.0
	for v := 1; v < len(pass.Variants); v++ {
		kl := 0.0
		for _, s := range outcome.Scores[v] {
			kl += s.KL
		}
		if kl <= last {
			t.Errorf("variant %d: divergence %v after %v", v, kl, last)
		}
		last = kl
	}
	if none, err := Requantise(m, device.F32, true); err != nil || none.Repair != nil || len(none.Tensors) != 0 {
		t.Errorf("in a larger type: %+v, %v", none, err)
	}
}
