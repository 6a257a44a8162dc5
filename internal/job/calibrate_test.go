package job

import (
	"testing"

	"avssnative/calib"
	"avssnative/engine"
)

// Of much text an eighth judges a repair, of little the half does; nothing that repairs are fitted on or that has chosen judges, and nothing that a
// search chooses by is lost to the fit.
func TestTextApart(t *testing.T) {
	j := open(t, demoModel())
	for _, c := range []struct{ sequences, length, chosen, held int }{
		{64, 512, 0, 8},
		{64, 511, 0, 32},
		{64, 1024, 16, 6},
		{1, 8192, 0, 0},
		{2, 8192, 0, 1},
	} {
		text := &calib.Text{}
		for i := range c.sequences {
			ids := make([]int32, c.length)
			ids[0] = int32(i)
			text.Sequences = append(text.Sequences, engine.Sequence{IDs: ids})
		}
		j.replace(text)
		j.weighing = map[int]bool{}
		for i := range c.chosen / 2 {
			j.weighing[4*i+1] = true
		}
		fit, held := j.apart()
		if len(held) != c.held || len(fit)+len(held)+len(j.weighing) != c.sequences {
			t.Errorf("%+v: %d to fit on, %d to judge by", c, len(fit), len(held))
		}
		in := map[int32]bool{}
		for _, s := range fit {
			in[s.IDs[0]] = true
		}
		for _, s := range held {
			if at := s.IDs[0]; in[at] || at%2 == 0 || j.weighing[int(at)] {
				t.Errorf("%+v: sequence %d judges", c, at)
			}
		}
		for i := 0; i < c.sequences; i += 2 {
			if !in[int32(i)] {
				t.Errorf("%+v: sequence %d is not fitted on", c, i)
			}
		}
	}
}
