package job

import (
	"math"
	"slices"
	"strings"
	"testing"

	"avssnative/avss"
	"avssnative/calib"
	"avssnative/prune"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// drawing is a metric whose bootstrap comes to what it is told.
type drawing struct {
	avss.Metric
	values avss.Values
	drawn  [][]float64
	show   func(key string, scores []float64)
}

func (d *drawing) Scores() (avss.Scores, error) {
	s := avss.Scores{Metric: "bi", Values: d.values}
	for _, values := range d.drawn {
		d.show(s.Key(), values)
	}
	return s, nil
}

// The probability of another set is the share of resamples that name one; the order within a set does not count.
func TestHowLikelyAnotherSetIs(t *testing.T) {
	j := open(t, demoModel())
	j.Report.Calibration = &avss.CalibrationInfo{Tokens: 99, Sequences: 9}
	rising := func(first ...float64) []float64 {
		values := slices.Clone(first)
		for l := len(first); l < 16; l++ {
			values = append(values, float64(l))
		}
		return values
	}
	same, swapped, other := rising(), rising(1, 0), rising(0, 1, 2, 9)
	choice := Choice{Metric: "bi", Rule: prune.Count(4)}
	for _, c := range []struct {
		drawn     [][]float64
		want      float64
		low, high float64
	}{
		{[][]float64{same, swapped, same, same}, 0, 0, 1 - math.Pow(0.025, 1./4)},
		{[][]float64{same, other, swapped, other}, 0.5, 0.0676, 0.9324},
		{[][]float64{other}, 1, 0.025, 1},
		{nil, math.NaN(), 0, 1},
	} {
		var d draws
		b, err := j.likely(&drawing{values: same, drawn: c.drawn, show: d.see}, choice, &d)
		if err != nil || !slices.Equal(b.Dropped, []int{0, 1, 2, 3}) || b.Tokens != 99 || b.Sequences != 9 {
			t.Fatalf("%+v, %v", b, err)
		}
		p := float64(b.Probability)
		if p != c.want && !(math.IsNaN(p) && math.IsNaN(c.want)) || math.Abs(float64(b.Low)-c.low) > 1e-4 ||
			math.Abs(float64(b.High)-c.high) > 1e-4 {
			t.Errorf("%d draws: %v (%v to %v), want %v (%v to %v)", len(c.drawn), p, b.Low, b.High, c.want, c.low, c.high)
		}
	}
}

// Text that is taken block by block is scored to the bits of one pass over it, is enough where the set is settled, and ends where there is no more.
func TestTextIsTakenUntilTheSetIsSettled(t *testing.T) {
	values := cmp.Options{cmpopts.EquateNaNs(), cmp.Comparer(func(a, b avss.Value) bool { return a == b || a != a && b != b })}
	for _, c := range []struct {
		files   []string
		level   float64
		settled bool
	}{
		{[]string{calib.Demo}, 0.05, true},
		{[]string{calib.Demo}, 1e-9, false}, // no number of draws shows that
		{textFiles(t), 1e-9, false},
	} {
		var first *Job
		for range 2 {
			j := open(t, demoModel())
			choice := quarter(t)
			o := calib.Options{Files: c.files, Tokens: 1000, Length: 32}
			if err := j.CalibrateGrowing(t.Context(), o, 128); err != nil {
				t.Fatal(err)
			}
			if err := j.Score(t.Context(), Scoring{Settle: &Settling{Level: c.level, Choice: choice}}); err != nil {
				t.Fatal(err)
			}
			s := j.Report.Settled
			last := s.Blocks[len(s.Blocks)-1]
			if s.Settled != c.settled || s.Settled != (float64(last.High) < c.level) ||
				last.Tokens != j.Report.Calibration.Tokens || int(last.Sequences) != len(j.calibration) {
				t.Errorf("level %g: %+v, %d sequences", c.level, s, len(j.calibration))
			}
			warned := slices.ContainsFunc(j.Report.Warnings, func(w string) bool { return strings.Contains(w, "not settled") })
			if last.Tokens < 900 != c.settled || warned == c.settled {
				t.Errorf("level %g: %d tokens, %q", c.level, last.Tokens, j.Report.Warnings)
			}
			if diff := cmp.Diff(j.scoredAlone(t, j.calibration), j.Report.Scores, values); diff != "" {
				t.Errorf("level %g: not what one pass says: %s", c.level, diff)
			}
			found := func(j *Job) []any { return []any{j.Report.Settled, j.Report.Calibration, j.byText} }
			if first == nil {
				first = j
			} else if diff := cmp.Diff(found(first), found(j), values); diff != "" {
				t.Errorf("level %g: another time something else: %s", c.level, diff)
			}
			if (j.byText != nil) != (len(c.files) > 1) {
				t.Errorf("%d texts, scores of %d", len(c.files), len(j.byText))
			}
		}
	}
}
