package bench

import (
	"math"
	"testing"
)

func TestRepeatRate(t *testing.T) {
	for want, ids := range map[float64][]int32{0: {1, 2, 3, 4, 1, 2, 3}, 0.5: {1, 1, 1, 1, 1}, 0.2: {1, 2, 3, 4, 1, 2, 3, 4}} {
		if got := RepeatRate(ids); got != want {
			t.Errorf("%v: %v, want %v", ids, got, want)
		}
	}
	if got := RepeatRate([]int32{1, 2}); got != 0 {
		t.Errorf("two tokens: %v", got)
	}
}

func TestFluency(t *testing.T) {
	f := MeasureFluency(
		[]string{"Who is there?", "What now?", "Сколько?", "1 + 1 ="},
		[]string{"Ein Mann.", "這是什麼 yes", "пять и ещё", "2"},
		[][]int32{{1, 2, 3, 4}, {5, 5, 5, 5, 5, 5}, {1, 2}, {9}})
	if f.Texts != 4 || f.Tokens != 13.0/4 || f.Repeats != 2.0/3/4 {
		t.Errorf("lengths and repeats: %+v", f)
	}
	// Of 13 tokens 6 are different ones; of 9 pairs 12 23 34 55, of 6 triples 123 234 555.
	if want := [3]float64{6.0 / 13, 4.0 / 9, 3.0 / 6}; f.Distinct != want {
		t.Errorf("distinct: %v, want %v", f.Distinct, want)
	}
	for script, want := range map[string]float64{"Latin": 10.0 / 22, "Han": 4.0 / 22, "Cyrillic": 8.0 / 22} {
		if got := f.Scripts[script]; math.Abs(got-want) > 1e-12 {
			t.Errorf("%s: %v, want %v", script, got, want)
		}
	}
	if f.OtherScript != 1.0/3 {
		t.Errorf("other script: %v: one of the three that have letters", f.OtherScript)
	}
	if empty := MeasureFluency(nil, nil, nil); empty.Texts != 0 || math.IsNaN(empty.Tokens) {
		t.Errorf("of nothing: %+v", empty)
	}
	if got := scriptOf('ა'); got != "Georgian" {
		t.Errorf("a Georgian letter is %q", got)
	}
}
