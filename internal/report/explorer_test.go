package report

import (
	"math"
	"strings"
	"testing"

	"avssnative/avss"

	"github.com/google/go-cmp/cmp"
)

// What the slider has at each place, of a run and of a sweep, and what it asks to be typed there.
func TestExplore(t *testing.T) {
	r := browsed()
	e := r.explore()
	if e == nil || len(e.Lines) != 2 || e.Line != 0 || e.Stop != 2 || len(e.Boxes) != 16 || !e.Boxes[3].Gone || e.Boxes[5].Gone {
		t.Fatalf("%+v", e)
	}
	if got, want := e.Lines[1].Name, "AVSS robust, delta, repaired"; got != want {
		t.Errorf("the second ranking is called %q, want %q", got, want)
	}
	for i, want := range []string{"", "avssnative run --drop=1 --out=a-b-model-without-1", "avssnative run --drop=2 --out=a-b-model-without-2", ""} {
		stop := e.Lines[0].Stops[i]
		if stop.Command != want || len(stop.Figures) != len(e.Figures) || len(stop.Says) != 1 {
			t.Errorf("place %d: %+v, want the command %q", i, stop, want)
		}
	}
	r.Plan, r.Command = nil, []string{"avssnative", "bench"}
	e = r.explore()
	if got, want := e.Lines[0].Stops[2].Command, "avssnative run --drop=3,4 --out=a-b-model-without-2 --repair=none"; got != want {
		t.Errorf("of a sweep: %q, want %q", got, want)
	}
	if got := e.Lines[1].Stops[1].Command; !strings.HasSuffix(got, " --repair=full") {
		t.Errorf("of a repaired choice: %q", got)
	}
	points := r.Sweep.Points
	for len(r.Sweep.Points) <= mostStops {
		r.Sweep.Points = append(r.Sweep.Points, points...)
	}
	if r.explore() != nil {
		t.Error("a slider of more places than it has room for")
	}
}

func TestBesideText(t *testing.T) {
	for _, c := range []struct{ dense, text, same, other string }{
		{"went home.", "went home.", "went home.", ""},
		{"went home.", "went hot.", "went ", "hot."},
		{"went home", "went home again", "went ", "home again"},
		{"é", "è", "", "è"},
		{"大é x", "大è x", "大", "è x"},
		{"", "went", "", "went"},
		{"went", "", "", ""},
	} {
		if diff := cmp.Diff(passage{c.same, c.other}, beside(c.dense, c.text)); diff != "" {
			t.Errorf("%q beside %q: %s", c.text, c.dense, diff)
		}
	}
}

// Texts that do not belong to the beginnings are refused.
func TestTextsWithoutBeginnings(t *testing.T) {
	r := sample(4)
	r.Sweep.Points[1].Says = []string{"one", "more"}
	if err := r.check(); err == nil || !strings.Contains(err.Error(), "sweep.points[1].says: 2 texts after 1 beginnings") {
		t.Errorf("%v", err)
	}
}

// Of a run's scores the agreement is computed, by which end goes first; of a sweep's it is what the sweep found.
func TestAgreementOfScores(t *testing.T) {
	r := sample(6)
	if names, tau := r.agreement(); len(names) != 2 || tau[0][1] != 0.5 {
		t.Errorf("of a sweep: %v, %v", names, tau)
	}
	r.Sweep = nil
	falling := make(avss.Values, 6)
	for layer := range falling {
		falling[layer] = -float64(layer)
	}
	r.Scores["own"] = avss.Scores{Metric: "own", Values: falling}
	r.Metrics = map[string]Metric{"own": {HighestFirst: true}}
	names, tau := r.agreement()
	at := map[string]int{}
	for i, name := range names {
		at[name.values()[0].(string)] = i
	}
	if got := tau[at["own"]][at["bi"]]; got != 1 {
		t.Errorf("highest first beside the same order, lowest first: τ %v, want 1", got)
	}
	if got, want := tau[at["avss"]][at["bi"]], avss.KendallTau(r.Scores["avss"].Values, r.Scores["bi"].Values); math.Abs(got-want) > 0 {
		t.Errorf("τ %v, want %v", got, want)
	}
	huge := sample(20000)
	huge.Sweep = nil
	if names, _ := huge.agreement(); names != nil {
		t.Error("a table that takes minutes")
	}
}
