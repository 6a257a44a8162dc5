package prune

import (
	"context"
	"fmt"
	"hash/fnv"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"avssnative/avss"
	"avssnative/engine"
	_ "avssnative/engine/cpu"
	_ "avssnative/engine/weights/demo"
)

// invented is a model whose sets cost what a formula says: what each layer and each pair of layers is worth, differently on every sequence.
type invented struct {
	layers int
	seed   uint64
	asked  int // variants times sequences
}

func (f *invented) Layers() int               { return f.layers }
func (f *invented) NewRepair() *engine.Repair { return nil }
func (f *invented) Streams(context.Context, []engine.Sequence, func(engine.Step)) (*engine.Streams, error) {
	return nil, nil
}

func (f *invented) cost(drop engine.Drop, sequence int) float64 {
	sum := 0.0
	of := func(key ...any) float64 {
		h := fnv.New64a()
		fmt.Fprint(h, f.seed, key)
		return rand.New(rand.NewPCG(h.Sum64(), 1)).ExpFloat64()
	}
	layers := drop.Layers()
	for i, a := range layers {
		sum += of(a) * (0.5 + of(a, "on", sequence))
		for _, b := range layers[:i] {
			sum += of(a, "with", b)
		}
	}
	return sum
}

func (f *invented) Run(_ context.Context, p engine.Pass) (*engine.Outcome, error) {
	o := &engine.Outcome{}
	for _, v := range p.Variants {
		f.asked += len(p.Sequences)
		scores := make([]engine.SequenceScore, len(p.Sequences))
		for i, s := range p.Sequences {
			scores[i].Tokens = s.ScoreTo - s.ScoreFrom
			scores[i].KL = f.cost(v, int(s.IDs[0]))
			scores[i].LogLikelihood = -10 - scores[i].KL
		}
		o.Scores = append(o.Scores, scores)
	}
	return o, nil
}

// inventedText is sequences that carry their number.
func inventedText(n int) (text []engine.Sequence) {
	for i := range n {
		text = append(text, engine.Sequence{IDs: []int32{int32(i), 0, 0}, ScoreFrom: 1, ScoreTo: 3})
	}
	return text
}

// slowest tries all sets of n layers on all of the text.
func (f *invented) slowest(n int, text []engine.Sequence, keep []int) (best []int, cost float64) {
	cost = math.Inf(1)
	for set := range 1 << f.layers {
		var layers []int
		for l := range f.layers {
			if set>>l&1 == 1 {
				layers = append(layers, l)
			}
		}
		if len(layers) != n || slices.ContainsFunc(layers, func(l int) bool { return slices.Contains(keep, l) }) {
			continue
		}
		sum := 0.0
		for _, s := range text {
			sum += f.cost(engine.Layers(layers...), int(s.IDs[0]))
		}
		if sum /= float64(2 * len(text)); sum < cost || sum == cost && slices.Compare(layers, best) < 0 {
			best, cost = layers, sum
		}
	}
	return best, cost
}

// All sets tried with most of them left off early, and a beam as wide as there are sets, find what trying all of them on all of the text finds. A
// narrow beam finds no better, and what it ends at no swap makes better.
func TestSearchFindsTheBestSet(t *testing.T) {
	for seed := range uint64(6) {
		f := &invented{layers: 7 + int(seed%3), seed: seed}
		text, keep := inventedText(1+int(seed)), []int{int(seed) % 7}
		for n := 1; n <= 4; n++ {
			want, cost := f.slowest(n, text, keep)
			for name, o := range map[string]SearchOptions{
				"all sets":             {},
				"all sets, whole text": {Whole: true},
				"wide beam":            {Most: -1, Beam: 1000, NoSwaps: true},
				"wide beam of losses":  {Most: -1, Beam: 1000, NoSwaps: true, Objective: ObjectiveNLL},
				"the best is proposed": {Most: -1, NoSwaps: true, Proposals: []engine.Drop{engine.Layers(want...)}},
			} {
				o.Counts, o.Keep = []int{n}, keep
				got, err := Search(t.Context(), f, text, o)
				if err != nil {
					t.Fatal(err)
				}
				if o.Objective == ObjectiveNLL {
					got.Sets[0].Cost -= 5 // of ten a sequence of two tokens
				}
				if s := got.Sets[0]; !slices.Equal(s.Layers, want) || math.Abs(float64(s.Cost)-cost) > 1e-12*cost+1e-9 {
					t.Errorf("seed %d, %d layers, %s: %v; the best is %v at %g", seed, n, name, s, want, cost)
				}
			}
			narrow, err := Search(t.Context(), f, text, SearchOptions{Counts: []int{n}, Keep: keep, Most: -1, NoSwaps: true})
			if err != nil {
				t.Fatal(err)
			}
			swapped, err := Search(t.Context(), f, text, SearchOptions{Counts: []int{n}, Keep: keep, Most: -1})
			if err != nil {
				t.Fatal(err)
			}
			if a, b := float64(narrow.Sets[0].Cost), float64(swapped.Sets[0].Cost); a < cost-1e-12 || b > a {
				t.Errorf("seed %d, %d layers: %g by a beam of one, %g after swaps, the best is %g", seed, n, a, b, cost)
			}
			f.noSwapHelps(t, swapped.Sets[0], text, keep)
		}
	}
}

// By objective task a set costs what its answers do, of which one may take several sequences; all sets tried with most left off early find what all
// of them on all questions find.
func TestSearchByQuestions(t *testing.T) {
	for seed := range uint64(6) {
		f := &invented{layers: 8, seed: seed}
		text := inventedText(12)
		q := &avss.Questions{Task: "made", Ends: []int{1, 4, 5, 7, 8, 12}, Cost: func(question int, scores []engine.SequenceScore) (float64, error) {
			cost := 0.0
			for _, s := range scores {
				cost += s.KL
			}
			return math.Sqrt(cost) * float64(question+1), nil
		}}
		cost := func(drop engine.Drop) float64 {
			sum, from := 0.0, 0
			for question, end := range q.Ends {
				spent := 0.0
				for ; from < end; from++ {
					spent += f.cost(drop, from)
				}
				sum += math.Sqrt(spent) * float64(question+1)
			}
			return sum / float64(len(q.Ends))
		}
		least := math.Inf(1)
		for set := range 1 << f.layers {
			var layers []int
			for l := range f.layers {
				if set>>l&1 == 1 {
					layers = append(layers, l)
				}
			}
			if len(layers) == 3 {
				least = min(least, cost(engine.Layers(layers...)))
			}
		}
		for name, o := range map[string]SearchOptions{"all sets": {}, "whole text": {Whole: true}, "wide beam": {Most: -1, Beam: 1000}} {
			o.Counts, o.Objective, o.Questions = []int{3}, ObjectiveTask, q
			got, err := Search(t.Context(), f, text, o)
			if err != nil {
				t.Fatal(err)
			}
			s := got.Sets[0]
			if math.Abs(float64(s.Cost)-least) > 1e-9 || math.Abs(cost(engine.Layers(s.Layers...))-least) > 1e-9 || s.Per != "question" {
				t.Errorf("seed %d, %s: %+v, the best costs %g", seed, name, s, least)
			}
			if price := s.Price(); !strings.HasSuffix(price, " nats a question") {
				t.Errorf("costs %s", price)
			}
		}
		weighed, err := Weigh(t.Context(), f, text, []engine.Drop{engine.Layers(1, 2)}, SearchOptions{Objective: ObjectiveTask, Questions: q})
		if err != nil || len(weighed[0]) != len(q.Ends) || math.Abs(total(weighed[0])/6-cost(engine.Layers(1, 2))) > 1e-9 {
			t.Errorf("seed %d: weighed %v, %v", seed, weighed, err)
		}
	}
	f, text := &invented{layers: 4}, inventedText(3)
	free := func(int, []engine.SequenceScore) (float64, error) { return 0, nil }
	for _, q := range []*avss.Questions{nil, {Ends: []int{1, 3}}, {Ends: []int{1, 2}, Cost: free}, {Ends: []int{2, 1, 3}, Cost: free}} {
		_, err := Search(t.Context(), f, text, SearchOptions{Counts: []int{1}, Objective: ObjectiveTask, Questions: q})
		if err == nil || !strings.Contains(err.Error(), "want questions") {
			t.Errorf("%+v: %v", q, err)
		}
	}
}

// noSwapHelps tries every exchange of a layer that goes for one that stays.
func (f *invented) noSwapHelps(t *testing.T, set avss.Set, text []engine.Sequence, keep []int) {
	t.Helper()
	for at := range set.Layers {
		for l := range f.layers {
			if slices.Contains(set.Layers, l) || slices.Contains(keep, l) {
				continue
			}
			other := slices.Clone(set.Layers)
			other[at] = l
			slices.Sort(other)
			sum := 0.0
			for _, s := range text {
				sum += f.cost(engine.Layers(other...), int(s.IDs[0]))
			}
			if sum /= float64(2 * len(text)); sum < float64(set.Cost)-1e-12 {
				t.Errorf("seed %d: %v costs %g, less than %v", f.seed, other, sum, set)
			}
		}
	}
}

// Leaving off sets that cannot win changes nothing that is found, whatever the strategy, and spends less.
func TestLeavingOffEarlyChangesNoResult(t *testing.T) {
	saved := false
	for seed := range uint64(8) {
		text := inventedText(3 + int(seed%14))
		for _, o := range []SearchOptions{{Beam: 1, Most: -1}, {Beam: 3, Most: -1}, {}, {Most: 30, Beam: 2}} {
			o.Counts = []int{2, 3, 5}
			early, whole := &invented{layers: 9, seed: seed}, &invented{layers: 9, seed: seed}
			got, err := Search(t.Context(), early, text, o)
			if err != nil {
				t.Fatal(err)
			}
			o.Whole = true
			want, err := Search(t.Context(), whole, text, o)
			if err != nil {
				t.Fatal(err)
			}
			for i := range want.Sets {
				if g, w := got.Sets[i], want.Sets[i]; !slices.Equal(g.Layers, w.Layers) || math.Abs(float64(g.Cost-w.Cost)) > 1e-12 || g.By != w.By {
					t.Errorf("seed %d, %+v: %v, want %v", seed, o, g, w)
				}
			}
			saved = saved || early.asked < whole.asked*3/4
		}
	}
	if !saved {
		t.Error("nothing was ever left off")
	}
}

// With a doubt the sets found are nearly always the same, and less is spent than without one.
func TestADoubtLeavesOffMore(t *testing.T) {
	other, spent := 0, [2]int{}
	const searches = 40
	for seed := range uint64(searches) {
		text := inventedText(24)
		var costs [2]float64
		for i, doubt := range []float64{0, 0.001} {
			f := &invented{layers: 9, seed: seed}
			found, err := Search(t.Context(), f, text, SearchOptions{Counts: []int{3}, Most: -1, Doubt: doubt})
			if err != nil {
				t.Fatal(err)
			}
			spent[i] += f.asked
			costs[i] = float64(found.Sets[0].Cost)
		}
		if costs[1] != costs[0] {
			other++
		}
	}
	t.Logf("%d of %d searches found another set; %d and %d sequences were walked", other, searches, spent[0], spent[1])
	if other > searches/10 || spent[1] >= spent[0] {
		t.Errorf("%d of %d searches found another set, and %d sequences were walked instead of %d", other, searches, spent[1], spent[0])
	}
}

// On the demo the sets that a beam with swaps finds, with gaps bridged, cost no less than the best of all sets measured outright, and the best of all
// sets is the same whether sets are left off early or not.
func TestSearchOnTheDemo(t *testing.T) {
	m, read := DemoAndText(t, 160, 32)
	text := read.Sequences
	for i := range text {
		text[i].ScoreFrom, text[i].ScoreTo = 1, len(text[i].IDs)
	}
	seek := func(o SearchOptions) *Searched {
		o.Counts = []int{2}
		s, err := Search(t.Context(), m, text, o)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	for _, repair := range []RepairMethod{RepairNone, RepairLstsq} {
		all, whole := seek(SearchOptions{Repair: repair}), seek(SearchOptions{Repair: repair, Whole: true})
		beam := seek(SearchOptions{Repair: repair, Most: -1, Beam: 2})
		a, w, b := all.Sets[0], whole.Sets[0], beam.Sets[0]
		t.Logf("%s: all sets %v, beam %v; %d of %d sets were measured whole", repair, a, b, all.Whole, all.Tried)
		if !slices.Equal(a.Layers, w.Layers) || math.Abs(float64(a.Cost-w.Cost)) > 1e-9 || b.Cost < a.Cost-1e-9 || whole.Tried != 120 || all.Whole >= 120 {
			t.Errorf("%s: all sets: %v, on the whole text %v (%d sets), by a beam %v", repair, a, w, whole.Tried, b)
		}
	}
	none, bridged := seek(SearchOptions{}), seek(SearchOptions{Repair: RepairLstsq})
	if !(bridged.Sets[0].Cost < none.Sets[0].Cost) {
		t.Errorf("bridged %v costs more than plain %v", bridged.Sets[0], none.Sets[0])
	}
}

func TestSearchRefusals(t *testing.T) {
	f := &invented{layers: 5}
	for name, o := range map[string]SearchOptions{
		"no number":  {},
		"too many":   {Counts: []int{5}},
		"kept":       {Counts: []int{3}, Keep: []int{0, 1, 2}},
		"none":       {Counts: []int{0}},
		"objective":  {Counts: []int{1}, Objective: "speed"},
		"the repair": {Counts: []int{1}, Repair: RepairRefit},
		"no beam":    {Counts: []int{1}, Beam: -1},
		"the doubt":  {Counts: []int{1}, Doubt: 0.5},
	} {
		if s, err := Search(t.Context(), f, inventedText(2), o); err == nil {
			t.Errorf("%s: %+v", name, s.Sets)
		}
	}
	if _, err := Search(t.Context(), f, []engine.Sequence{{IDs: []int32{1}}}, SearchOptions{Counts: []int{1}}); err == nil {
		t.Error("a text of which nothing is scored was taken")
	}
	stopped, stop := context.WithCancel(t.Context())
	stop()
	m, err := engine.Open(t.Context(), "demo", engine.Options{Device: "cpu"})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	if _, err := Search(stopped, m, []engine.Sequence{{IDs: []int32{1, 2}, ScoreFrom: 1, ScoreTo: 2}}, SearchOptions{Counts: []int{1}}); err == nil {
		t.Error("a search that was stopped went on")
	}
}

// The set that a search found for so many layers goes, and no other; rules say how many a search is to look for.
func TestWhatASearchFoundIsThePlan(t *testing.T) {
	scores := avss.Scores{Metric: SearchName, Values: make(avss.Values, 8), Sets: []avss.Set{{Layers: []int{4}}, {Layers: []int{1, 6}}}}
	for n, want := range map[int][]int{1: {4}, 2: {1, 6}} {
		if plan, err := Choose(scores, Count(n), Protect{}); err != nil || !slices.Equal(plan.Dropped, want) {
			t.Errorf("%d layers: %+v, %v", n, plan, err)
		}
	}
	if plan, err := Choose(scores, Count(3), Protect{}); err == nil {
		t.Errorf("a set of three was not sought, but %v goes", plan.Dropped)
	}
	if plan, err := Choose(scores, Count(2), Protect{First: 2}); err == nil {
		t.Errorf("layer 1 is protected, but %v goes", plan.Dropped)
	}
	mass, err := ParseMass("5%")
	if err != nil {
		t.Fatal(err)
	}
	if plan, err := Choose(scores, mass, Protect{}); err == nil {
		t.Errorf("a search's scores have no mass, but %v goes", plan.Dropped)
	}
	quarter, err := ParseRule("25%")
	if err != nil {
		t.Fatal(err)
	}
	for want, rule := range map[int]Rule{0: mass, 2: quarter, 3: Layers(1, 2, 5)} {
		if n, err := rule.Number(8, Protect{}); err != nil || n != want {
			t.Errorf("%s: %d layers, %v; want %d", rule, n, err, want)
		}
	}
}

// What sets are compared on and what gaps are bridged by have nothing in common, and together are no more than the text.
func TestATextIsParted(t *testing.T) {
	var ids []int32
	for i := range 1000 {
		ids = append(ids, int32(i))
	}
	text := pieces([]engine.Sequence{{IDs: ids}, {IDs: ids[:1]}, {IDs: ids[:129]}})
	if len(text) != 9 || text[7].ScoreTo != 1000-7*piece || len(text[8].IDs) != piece {
		t.Fatalf("%d pieces", len(text))
	}
	for tokens, want := range map[int]int{0: 4, 1: 1, 128: 1, 256: 2, 300: 2, 100000: 4} {
		compared, fit := parted(text, tokens)
		if len(compared) != want || len(fit) != len(text)-want || &fit[0].IDs[0] != &text[want].IDs[0] {
			t.Errorf("%d tokens: %d and %d pieces", tokens, len(compared), len(fit))
		}
	}
	if compared, fit := parted(text[:1], 0); len(compared) != 1 || fit != nil {
		t.Errorf("one piece: %d and %d", len(compared), len(fit))
	}
	long := slices.Repeat(text[:8], 20)
	if compared, fit := parted(long, 512); len(compared) != 4 || len(fit) > bridgeTokens/piece+1 || len(fit) < bridgeTokens/piece-1 {
		t.Errorf("a long text: %d and %d", len(compared), len(fit))
	}
}
