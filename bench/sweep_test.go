package bench

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"avssnative/avss"
	"avssnative/engine"
	"avssnative/failure"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// run is the layers from one to before another.
func run(from, to int) engine.Drop {
	var drop engine.Drop
	for layer := from; layer < to; layer++ {
		drop = append(drop, engine.Unit{Layer: layer})
	}
	return drop
}

func ranked(order ...int) Chooser {
	return func(count int) (engine.Drop, error) {
		return engine.Layers(slices.Sorted(slices.Values(order[:count]))...), nil
	}
}

func swept(t *testing.T) Sweep {
	f := newFake(true, true, true)
	suite, _ := judge(t, []Set{choiceSet(question(t, "a b", 0, "x", "y"), question(t, "c d", 1, "x", "y", "z")),
		{Task: registry["small_world_stories"], Items: []Item{{Text: "a b c d e", Words: 5, Bytes: 9}, {Index: 1, Text: "f g", Words: 2, Bytes: 3}}},
	}, f, Options{MaxLength: 16})
	return Sweep{Layers: 6, Counts: []int{3, 1, 3}, Suite: suite, Seeds: []uint64{0, 1},
		Metrics: map[string]Chooser{"bi": ranked(5, 4, 3, 2, 1, 0), "avss": ranked(5, 3, 4, 2, 1, 0), "odd": ranked(0, 2, 5, 1, 3, 4)},
		Scores:  map[string][]float64{"bi": {6, 5, 4, 3, 2, 1}, "avss": {6, 5, 4, 2, 3, 1}},
		Size:    func(d engine.Drop) (int64, int64) { return int64(100 - 10*len(d)), int64(400 - 40*len(d)) }}
}

func TestSweep(t *testing.T) {
	s := swept(t)
	runner := &fakeRunner{change: func(o *engine.Outcome) { o.Passes, o.Blocks = 2, 17 }}
	s.Pass.Memory = 123
	table, err := s.Run(t.Context(), runner)
	if err != nil {
		t.Fatal(err)
	}
	if len(runner.calls) != 1 || runner.calls[0].Memory != 123 || !runner.calls[0].Diverge {
		t.Fatalf("%d calls of the runner, want 1 with divergence and the caller's memory", len(runner.calls))
	}
	seen := map[string]bool{}
	for i, drop := range runner.calls[0].Variants {
		if key := drop.String(); seen[key] {
			t.Errorf("%s is judged twice", key)
		} else {
			seen[key] = true
		}
		if i == 0 && drop != nil {
			t.Error("the dense model is not the first variant")
		}
	}
	// bi, avss and last agree at 1 and at 3: one set each.
	var metrics []string
	sets := map[string][]int{}
	for _, p := range table.Points {
		if !slices.Contains(metrics, p.Metric) {
			metrics = append(metrics, p.Metric)
		}
		sets[p.Metric] = append(sets[p.Metric], p.Set)
		set := table.Sets[p.Set]
		if len(set.Drop) != p.Count || p.Share != float64(p.Count)/6 || !slices.Contains(set.ChosenBy, fmt.Sprintf("%s:%d", p.Metric, p.Count)) {
			t.Errorf("%+v points to %v, chosen by %v", p, set.Drop, set.ChosenBy)
		}
	}
	if want := []string{"avss", "bi", "odd", "first", "last", "random-0", "random-1"}; !cmp.Equal(metrics, want) {
		t.Errorf("metrics %v, want %v", metrics, want)
	}
	if !cmp.Equal(sets["bi"], sets["avss"]) || !cmp.Equal(sets["bi"], sets["last"]) || cmp.Equal(sets["bi"], sets["odd"]) {
		t.Errorf("sets %v", sets)
	}
	// Seven metrics at two counts, and the dense model.
	if table.Passes != 2 || table.Blocks != 17 || table.PassesAlone != 15 || table.BlocksAlone != 7*(5+3)+6 {
		t.Errorf("passes %d of %d, blocks %d of %d", table.Passes, table.PassesAlone, table.Blocks, table.BlocksAlone)
	}
	for i, set := range table.Sets {
		want, err := s.Suite.Score(mustRun(t, s.Suite, set.Drop))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, set.Results, cmpopts.EquateNaNs()); diff != "" {
			t.Errorf("%v: %s", set.Drop, diff)
		}
		if set.Parameters != int64(100-10*len(set.Drop)) || set.Bytes != 4*set.Parameters || set.TokensPerSecond != 0 {
			t.Errorf("%v: %d parameters, %d bytes, %v tokens a second", set.Drop, set.Parameters, set.Bytes, set.TokensPerSecond)
		}
		if i == 0 && (set.Comparison.Tasks[1].Retention != 1 || set.Comparison.KL != 0 || set.Comparison.SameTop != 1) {
			t.Errorf("the dense model against itself: %+v", set.Comparison)
		}
		if i > 0 && !near(set.Comparison.KL, 0.25*float64(len(set.Drop))) {
			t.Errorf("%v: divergence %v", set.Drop, set.Comparison.KL)
		}
	}
	if !cmp.Equal(table.Agreement.Metrics, []string{"avss", "bi"}) || !near(table.Agreement.Tau[0][1], 13.0/15) {
		t.Errorf("%+v", table.Agreement)
	}
}

func mustRun(t *testing.T, suite *Suite, drop engine.Drop) []engine.SequenceScore {
	t.Helper()
	outcome, err := (&fakeRunner{}).Run(t.Context(), engine.Pass{Sequences: suite.Sequences, Variants: []engine.Drop{drop}})
	if err != nil {
		t.Fatal(err)
	}
	return outcome.Scores[0]
}

func TestSweepRefuses(t *testing.T) {
	for name, test := range map[string]struct {
		spoil func(*Sweep)
		parts []string
	}{
		"no counts":  {func(s *Sweep) { s.Counts = nil }, []string{"no counts"}},
		"all layers": {func(s *Sweep) { s.Counts = []int{6} }, []string{"6 layers to drop", "1 to 5"}},
		"none":       {func(s *Sweep) { s.Counts = []int{0} }, []string{"0 layers to drop"}},
		"no tasks":   {func(s *Sweep) { s.Suite = &Suite{} }, []string{"no tasks"}},
		"too few": {func(s *Sweep) { s.Metrics["bi"] = func(int) (engine.Drop, error) { return engine.Layers(1), nil } },
			[]string{"bi, 3 layers", "1 layers"}},
		"out of range": {func(s *Sweep) {
			s.Metrics["bi"] = func(n int) (engine.Drop, error) { return engine.Layers(5, 6, 7)[:n], nil }
		}, []string{"bi, 3 layers", "0 to 5"}},
		"not ascending": {func(s *Sweep) {
			s.Metrics["bi"] = func(n int) (engine.Drop, error) { return engine.Layers(2, 2, 1)[:n], nil }
		}, []string{"ascending"}},
		"no choice": {func(s *Sweep) {
			s.Metrics["bi"] = func(int) (engine.Drop, error) { return nil, errors.New("protected") }
		}, []string{"bi, 1 layers: protected"}},
		"uneven scores": {func(s *Sweep) { s.Scores["bi"] = nil }, []string{"agreement"}},
	} {
		t.Run(name, func(t *testing.T) {
			s := swept(t)
			test.spoil(&s)
			_, err := s.Run(t.Context(), &fakeRunner{})
			wantError(t, err, append(test.parts, "bench: ")...)
		})
	}
	s := swept(t)
	_, err := s.Run(t.Context(), &fakeRunner{err: context.Canceled})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want the runner's", err)
	}
	_, err = s.Run(t.Context(), &fakeRunner{change: func(o *engine.Outcome) { o.Scores = o.Scores[1:] }})
	wantError(t, err, "variants")
}

func TestBaselines(t *testing.T) {
	first, _ := Baseline("first", 6, 0)(2)
	last, _ := Baseline("last", 6, 0)(2)
	if !cmp.Equal(first, engine.Layers(0, 1)) || !cmp.Equal(last, engine.Layers(4, 5)) {
		t.Errorf("first %v, last %v", first, last)
	}
	small, _ := Baseline("random", 20, 3)(4)
	again, _ := Baseline("random", 20, 3)(4)
	large, _ := Baseline("random", 20, 3)(9)
	other, _ := Baseline("random", 20, 4)(4)
	if !cmp.Equal(small, again) || cmp.Equal(small, other) || len(large) != 9 || !slices.IsSorted(large.Layers()) {
		t.Errorf("random %v, %v, %v, %v", small, again, large, other)
	}
	for _, layer := range small {
		if !slices.Contains(large, layer) {
			t.Errorf("%v is not within %v of the same seed", small, large)
		}
	}
	if _, err := Baseline("random", 4, 0)(5); err == nil {
		t.Error("five of four layers: no error")
	}
	if _, err := Baseline("middle", 4, 0)(1); !errors.Is(err, failure.NotFound) {
		t.Errorf("a baseline that nobody registered: %v", err)
	}
	// The same layers as package avss says, so that a choice and a sweep of one seed agree.
	scores, err := avss.BaselineScores("random", 20, 3)
	if err != nil || !cmp.Equal(small.Layers(), slices.Sorted(slices.Values(scores.Ranking()[:4]))) {
		t.Errorf("%v, and avss ranks %v (%v)", small, scores.Ranking(), err)
	}
}

func TestSpeed(t *testing.T) {
	f := newFake(true, true, true)
	sequences, err := SpeedText(f, "a b c d e", 10, 4)
	if err != nil {
		t.Fatal(err)
	}
	ids, _ := f.Encode("a b c d e", true)
	want := []engine.Sequence{{IDs: ids[:4], ScoreFrom: 1, ScoreTo: 4, Silent: true},
		{IDs: []int32{ids[4], ids[5], ids[0], ids[1]}, ScoreFrom: 1, ScoreTo: 4, Silent: true}}
	if diff := cmp.Diff(want, sequences); diff != "" {
		t.Error(diff)
	}
	if _, err := SpeedText(f, "", 10, 4); err != nil {
		t.Errorf("BOS alone is a text: %v", err)
	}
	_, err = SpeedText(f, "a", 3, 4)
	wantError(t, err, "bench: speed")

	// Passes of 2, 1 and 3 seconds over eight tokens.
	clock, took := time.Unix(0, 0), []int{0, 2, 0, 1, 0, 3}
	calls := 0
	s := Speed{Sequences: sequences, now: func() time.Time {
		clock = clock.Add(time.Duration(took[calls%len(took)]) * time.Second)
		calls++
		return clock
	}}
	runner := &fakeRunner{}
	rate, err := s.Measure(t.Context(), runner, engine.Layers(1))
	if err != nil || rate != 8 {
		t.Errorf("%v tokens a second, %v; want 8: the fastest pass counts", rate, err)
	}
	if len(runner.calls) != 3 || !cmp.Equal(runner.calls[0].Variants, []engine.Drop{engine.Layers(1)}) {
		t.Errorf("%d passes of %v", len(runner.calls), runner.calls[0].Variants)
	}
	sweep := swept(t)
	sweep.Speed = &s
	runner = &fakeRunner{}
	table, err := sweep.Run(t.Context(), runner)
	if err != nil {
		t.Fatal(err)
	}
	// Sets of as many layers and bytes share a measurement: the dense model, and one of either count.
	if len(runner.calls) != 1+3*3 {
		t.Errorf("%d passes, want one and three for each of three sizes", len(runner.calls))
	}
	for _, set := range table.Sets {
		if set.TokensPerSecond == 0 {
			t.Errorf("%v has no speed", set.Drop)
		}
	}
	_, err = (&Speed{}).Measure(t.Context(), runner, nil)
	wantError(t, err, "no text")

	// A first pass over one sequence of 4 tokens takes 1 second, so 3 seconds allow two more passes over one of them.
	clock, calls, took = time.Unix(0, 0), 0, []int{0, 1, 0, 2, 0, 1}
	bounded := Speed{Sequences: sequences, Repeats: 2, Budget: 3 * time.Second, now: s.now}
	runner = &fakeRunner{}
	if rate, err := bounded.Measure(t.Context(), runner, nil); err != nil || rate != 4 || len(runner.calls) != 3 || len(runner.calls[2].Sequences) != 1 {
		t.Errorf("%v tokens a second in %d passes, %v", rate, len(runner.calls), err)
	}
	clock, calls, took = time.Unix(0, 0), 0, []int{0, 9}
	runner = &fakeRunner{}
	if rate, err := bounded.Measure(t.Context(), runner, nil); err != nil || rate != 4.0/9 || len(runner.calls) != 1 {
		t.Errorf("%v tokens a second in %d passes, %v: the first took all the time", rate, len(runner.calls), err)
	}
	// A token every second: 8 new ones are 7 seconds after the first; three are all that 2 seconds have room for.
	clock, calls, took = time.Unix(0, 0), 0, []int{1}
	writer := &fakeGenerator{tokens: 8}
	if rate, err := (&Speed{Sequences: sequences, now: s.now}).Generate(t.Context(), writer, nil); err != nil || rate != 1 || writer.made != 8 {
		t.Errorf("%v new tokens a second of %d, %v", rate, writer.made, err)
	}
	bounded.Budget = 2 * time.Second
	if rate, err := bounded.Generate(t.Context(), writer, nil); err != nil || rate != 1 || writer.made != 3 {
		t.Errorf("%v new tokens a second of %d, %v", rate, writer.made, err)
	}
	_, err = s.Measure(t.Context(), &fakeRunner{err: errors.New("engine: gone")}, nil)
	wantError(t, err, "engine: gone")
}

// fakeGenerator makes so many tokens, unless it is stopped.
type fakeGenerator struct{ tokens, made int }

func (g *fakeGenerator) Generate(_ context.Context, requests []engine.Request, _ engine.Generating) ([][]int32, error) {
	var ids []int32
	for len(ids) < g.tokens {
		if ids = append(ids, 1); requests[0].Stop(ids) {
			break
		}
	}
	g.made = len(ids)
	return [][]int32{ids}, nil
}

// A sweep with a repair judges every choice plain and repaired: each set is solved once, and what is not repaired is not judged twice.
func TestSweepRepairs(t *testing.T) {
	s := swept(t)
	solved := map[string]*engine.Repair{}
	s.Repair = func(_ context.Context, drop engine.Drop) (*engine.Repair, string, error) {
		if solved[drop.String()] != nil {
			t.Errorf("%s solved twice", drop)
		}
		solved[drop.String()] = (&engine.Model{}).NewRepair()
		if len(drop) == 1 {
			return nil, "none", nil
		}
		return solved[drop.String()], "refit", nil
	}
	runner := &repairing{}
	table, err := s.Run(t.Context(), runner)
	if err != nil {
		t.Fatal(err)
	}
	if len(table.Points) != 28 || len(runner.passes) != 1 || !cmp.Equal(len(runner.passes[0].Repairs), len(table.Sets)) {
		t.Fatalf("%d points, %d passes", len(table.Points), len(runner.passes))
	}
	for i := 0; i < len(table.Points); i += 2 {
		plain, after := table.Points[i], table.Points[i+1]
		is, was := table.Sets[after.Set], table.Sets[plain.Set]
		method, repair := "refit", solved[was.Drop.String()]
		if plain.Count == 1 {
			method, repair = "none", nil
		}
		if plain.Repair != "" || was.Repair != nil || after.Metric != plain.Metric || after.Count != plain.Count || after.Repair != method ||
			is.Repair != repair || is.Drop.String() != was.Drop.String() || (repair == nil) != (plain.Set == after.Set) ||
			runner.passes[0].Repairs[after.Set] != repair {
			t.Errorf("%+v %+v", plain, after)
		}
	}
	broken := errors.New("broken")
	s.Repair = func(context.Context, engine.Drop) (*engine.Repair, string, error) { return nil, "", broken }
	if _, err := s.Run(t.Context(), runner); !errors.Is(err, broken) {
		t.Error(err)
	}
}

// repairing notes the passes it is asked for.
type repairing struct {
	fakeRunner
	passes []engine.Pass
}

func (r *repairing) Run(ctx context.Context, p engine.Pass) (*engine.Outcome, error) {
	r.passes = append(r.passes, p)
	return r.fakeRunner.Run(ctx, p)
}
