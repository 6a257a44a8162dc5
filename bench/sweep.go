package bench

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"avssnative/avss"
	"avssnative/engine"
)

// Runner walks sequences through a model; *engine.Model is one.
type Runner interface {
	Run(ctx context.Context, p engine.Pass) (*engine.Outcome, error)
}

// A Chooser says which layers a metric drops when count of them must go.
type Chooser func(count int) (engine.Drop, error)

// A Sweep judges what several metrics would drop, at several counts, beside every baseline. Every distinct set of
// layers is judged once, and all of them in one call of the runner, whose passes share what they have in common.
type Sweep struct {
	Layers   int
	Counts   []int // layers dropped; 0 < count < Layers
	Metrics  map[string]Chooser
	Halves   bool                                   // choices are of halves of layers, of as many bytes as count layers have
	Baseline func(name string, seed uint64) Chooser // of a baseline; nil: Baseline
	Seeds    []uint64                               // one baseline each of those that have a seed; nil is one with seed 0
	Scores   map[string][]float64                   // [layers] a metric, for the agreement between metrics; nil leaves it out
	Suite    *Suite
	// Size says how large the model is without some layers, in parameters and bytes; nil leaves sizes out.
	Size func(engine.Drop) (parameters, bytes int64)
	// Say lets the model without some layers, repaired, answer the suite's prompts; it may be nil where the suite Asks nothing.
	Say func(ctx context.Context, drop engine.Drop, repair *engine.Repair) ([]string, error)
	// Repair solves the layers that stay without a set, and names what it did; a nil repair is the plain cut. Every choice is then judged twice,
	// plain and repaired. nil: plain cuts alone.
	Repair func(ctx context.Context, drop engine.Drop) (repair *engine.Repair, method string, err error)
	// Speed times sets in passes of their own, one of each count and size; nil leaves speeds out.
	Speed *Speed
	// Alternatives are the dense model with coarser weights, judged in the same passes.
	Alternatives []*Requantised
	// Pass carries the caller's Memory, Rows and Progress.
	Pass engine.Pass
	// BootstrapSeed is the paired bootstrap's.
	BootstrapSeed uint64
}

// A Point is one metric's choice at one count.
type Point struct {
	Metric string
	Count  int
	Share  float64 // count / layers
	Repair string  // what was done to the layers that stay; empty for the plain cut
	Set    int     // index in Table.Sets
}

// A Variant is one set of dropped layers and what it cost. The first of a table is the dense model.
type Variant struct {
	Drop            engine.Drop
	Repair          *engine.Repair // of the layers that stay; nil: none
	ChosenBy        []string       // "metric:count"
	Results         []Result
	Comparison      *Comparison // against the dense model; for that one, against itself
	Parameters      int64
	Bytes           int64
	TokensPerSecond float64 // read
	Generated       float64 // tokens a second when continuing one text; 0: the runner continues none
}

// A Table is what a sweep found.
type Table struct {
	Layers int
	Counts []int
	Points []Point // metric by metric, baselines last, counts ascending
	Sets   []Variant
	// Alternatives are the sweep's, in their order. Their Results are nil where the suite asks for answers in a model's own words.
	Alternatives []Variant
	Agreement    *Agreement
	// Passes is how many times the weights were read to judge all sets, PassesAlone how many times judging every point by itself beside the
	// dense model would have. Blocks and BlocksAlone count in the same way how many times a layer was applied to all the text.
	Passes      int
	PassesAlone int
	Blocks      int
	BlocksAlone int
}

// Run judges. A choice that cannot be made (a metric that has no set of that size) is an error that names it.
func (s *Sweep) Run(ctx context.Context, runner Runner) (*Table, error) {
	t, err := s.plan()
	if err != nil {
		return nil, err
	}
	if s.Suite == nil || len(s.Suite.Sequences) == 0 && !s.Suite.Asks() {
		return nil, fmt.Errorf("bench: sweep: no tasks to judge by")
	}
	if err := s.repaired(ctx, t); err != nil {
		return nil, err
	}
	pass := s.Pass
	pass.Sequences, pass.Observe, pass.Trace, pass.Diverge = s.Suite.Sequences, nil, nil, true
	pass.Variants, pass.Repairs = nil, nil
	for _, set := range t.Sets {
		pass.Variants, pass.Repairs = append(pass.Variants, set.Drop), append(pass.Repairs, set.Repair)
	}
	for _, a := range s.Alternatives {
		pass.Variants, pass.Repairs = append(pass.Variants, nil), append(pass.Repairs, a.Repair)
	}
	outcome := &engine.Outcome{Scores: make([][]engine.SequenceScore, len(pass.Variants))}
	if len(pass.Sequences) > 0 {
		if outcome, err = runner.Run(ctx, pass); err != nil {
			return nil, err
		}
	}
	if len(outcome.Scores) != len(pass.Variants) {
		return nil, fmt.Errorf("bench: sweep: scores of %d variants, want %d", len(outcome.Scores), len(pass.Variants))
	}
	t.Passes, t.Blocks = outcome.Passes, outcome.Blocks
	for i := range t.Sets {
		set := &t.Sets[i]
		var said []string
		if s.Suite.Asks() {
			if said, err = s.Say(ctx, set.Drop, set.Repair); err != nil {
				return nil, fmt.Errorf("%w, without layers %s", err, set.Drop)
			}
		}
		if set.Results, err = s.Suite.Judge(outcome.Scores[i], said); err != nil {
			return nil, fmt.Errorf("%w, without layers %s", err, set.Drop)
		}
		if set.Comparison, err = Compare(t.Sets[0].Results, set.Results, s.BootstrapSeed); err != nil {
			return nil, err
		}
		if s.Size != nil {
			set.Parameters, set.Bytes = s.Size(set.Drop)
		}
	}
	for i, a := range s.Alternatives {
		v := Variant{ChosenBy: []string{string(a.Type)}, Bytes: a.Bytes, Parameters: t.Sets[0].Parameters}
		if v.Results, v.Comparison, err = s.Suite.Alternative(t.Sets[0].Results, outcome.Scores[len(t.Sets)+i], s.BootstrapSeed); err != nil {
			return nil, fmt.Errorf("%w, in %s", err, a.Type)
		}
		t.Alternatives = append(t.Alternatives, v)
	}
	if s.Speed != nil {
		if s.Speed.Whole == 0 {
			return t, s.time(ctx, runner, t)
		}
		_, err = Within(ctx, s.Speed.Whole, func(ctx context.Context) error { return s.time(ctx, runner, t) })
	}
	return t, err
}

// time measures speeds. Sets that leave as many layers of as many bytes do the same work, so one of them is measured for all.
func (s *Sweep) time(ctx context.Context, runner Runner, t *Table) error {
	type work struct {
		layers int
		bytes  int64
	}
	type pace struct{ read, generated float64 }
	generator, generates := runner.(Generator)
	known := map[work]pace{}
	for i := range t.Sets {
		set := &t.Sets[i]
		kind := work{len(set.Drop), set.Bytes}
		speed, measured := known[kind]
		if !measured {
			var err error
			if speed.read, err = s.Speed.Measure(ctx, runner, set.Drop); err != nil {
				return err
			}
			if generates {
				if speed.generated, err = s.Speed.Generate(ctx, generator, set.Drop); err != nil {
					return err
				}
			}
			known[kind] = speed
		}
		set.TokensPerSecond, set.Generated = speed.read, speed.generated
	}
	return nil
}

// plan asks every metric for its choices and gathers the distinct sets.
func (s *Sweep) plan() (*Table, error) {
	counts := slices.Compact(slices.Sorted(slices.Values(s.Counts)))
	if len(counts) == 0 {
		return nil, fmt.Errorf("bench: sweep: no counts of layers to drop")
	}
	for _, count := range counts {
		if count < 1 || count >= s.Layers {
			return nil, fmt.Errorf("bench: sweep: %d layers to drop: the model has %d, so 1 to %d can go", count, s.Layers, s.Layers-1)
		}
	}
	t := &Table{Layers: s.Layers, Counts: counts, Sets: []Variant{{ChosenBy: []string{"none:0"}}}}
	known := map[string]int{engine.Drop(nil).String(): 0}
	choosers, names := s.choosers()
	for _, name := range names {
		for _, count := range counts {
			drop, err := choosers[name](count)
			if err != nil {
				return nil, fmt.Errorf("bench: sweep: %s, %d layers: %w", name, count, err)
			}
			if err := s.check(drop, count); err != nil {
				return nil, fmt.Errorf("bench: sweep: %s, %d layers: %w", name, count, err)
			}
			key := drop.String()
			at, found := known[key]
			if !found {
				at = len(t.Sets)
				known[key] = at
				t.Sets = append(t.Sets, Variant{Drop: slices.Clone(drop)})
			}
			t.Sets[at].ChosenBy = append(t.Sets[at].ChosenBy, fmt.Sprintf("%s:%d", name, count))
			t.Points = append(t.Points, Point{Metric: name, Count: count, Share: float64(count) / float64(s.Layers), Set: at})
			// Alone, a point is judged in a pass of its own; the dense model in one more.
			t.PassesAlone++
			t.BlocksAlone += s.Layers - len(drop.Layers())
		}
	}
	t.PassesAlone += 1 + len(s.Alternatives)
	t.BlocksAlone += s.Layers * (1 + len(s.Alternatives))
	if len(s.Scores) > 0 {
		var err error
		if t.Agreement, err = Agree(s.Scores); err != nil {
			return nil, err
		}
	}
	return t, nil
}

// repaired adds behind every choice the same one repaired. Where a repair changes nothing the two are one set.
func (s *Sweep) repaired(ctx context.Context, t *Table) error {
	if s.Repair == nil {
		return nil
	}
	type solved struct {
		set    int
		method string
	}
	known := map[int]solved{}
	var points []Point
	for _, p := range t.Points {
		to, done := known[p.Set]
		if !done {
			plain := t.Sets[p.Set]
			repair, method, err := s.Repair(ctx, plain.Drop)
			if err != nil {
				return fmt.Errorf("bench: sweep: %w, without layers %s", err, plain.Drop)
			}
			if to = (solved{p.Set, method}); repair != nil {
				to.set = len(t.Sets)
				t.Sets = append(t.Sets, Variant{Drop: plain.Drop, Repair: repair, ChosenBy: plain.ChosenBy})
			}
			known[p.Set] = to
		}
		points = append(points, p)
		p.Set, p.Repair = to.set, to.method
		points = append(points, p)
		if to.set != points[len(points)-2].Set {
			t.PassesAlone++
			t.BlocksAlone += s.Layers - p.Count
		}
	}
	t.Points = points
	return nil
}

func (s *Sweep) check(drop engine.Drop, count int) error {
	if len(drop) != count && !s.Halves {
		return fmt.Errorf("chose %s, which is %d layers", drop, len(drop))
	}
	for i, u := range drop {
		if u.Layer < 0 || u.Layer >= s.Layers || i > 0 && u.Layer <= drop[i-1].Layer {
			return fmt.Errorf("chose %s: want layers 0 to %d, ascending", drop, s.Layers-1)
		}
	}
	return nil
}

// choosers joins the metrics, in alphabetical order, and the baselines, each seeded one once a seed.
func (s *Sweep) choosers() (map[string]Chooser, []string) {
	all := maps.Clone(s.Metrics)
	if all == nil {
		all = map[string]Chooser{}
	}
	names := slices.Sorted(maps.Keys(all))
	add := func(name string, c Chooser) {
		if _, taken := all[name]; !taken {
			all[name] = c
			names = append(names, name)
		}
	}
	baseline := s.Baseline
	if baseline == nil {
		baseline = func(name string, seed uint64) Chooser { return Baseline(name, s.Layers, seed) }
	}
	seeds := s.Seeds
	if len(seeds) == 0 {
		seeds = []uint64{0}
	}
	for _, d := range avss.Metrics(avss.Baseline) {
		if !d.Seeded {
			add(d.Name, baseline(d.Name, 0))
			continue
		}
		for _, seed := range seeds {
			add(fmt.Sprintf("%s-%d", d.Name, seed), baseline(d.Name, seed))
		}
	}
	return all, names
}

// Baseline drops the layers that a baseline of package avss ranks first, so that a larger set holds every smaller one.
func Baseline(name string, layers int, seed uint64) Chooser {
	scores, err := avss.BaselineScores(name, layers, seed)
	order := scores.Ranking()
	return func(count int) (engine.Drop, error) {
		switch {
		case err != nil:
			return nil, err
		case count > layers:
			return nil, fmt.Errorf("the model has %d layers", layers)
		}
		return engine.Layers(slices.Sorted(slices.Values(order[:count]))...), nil
	}
}
