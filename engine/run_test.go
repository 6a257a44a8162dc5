package engine_test

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"avssnative/engine"

	"avssnative/engine/device"
	"github.com/google/go-cmp/cmp"
)

func open(t testing.TB, folder, device string) *engine.Model {
	t.Helper()
	m, err := engine.Open(context.Background(), folder, on(device))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close() })
	return m
}

func run(t testing.TB, m *engine.Model, p engine.Pass) *engine.Outcome {
	t.Helper()
	o, err := m.Run(context.Background(), p)
	if err != nil {
		t.Fatal(err)
	}
	return o
}

func random(seed uint64, n, vocab int) []int32 {
	r := rand.New(rand.NewPCG(seed, 1))
	ids := make([]int32, n)
	for i := range ids {
		ids[i] = int32(r.IntN(vocab))
	}
	return ids
}

// mixed is a pass of everything at once: scored sequences, branches of several lengths, sequences that are only measured.
func mixed() []engine.Sequence {
	return []engine.Sequence{
		{IDs: random(1, 9, 97), ScoreFrom: 1, ScoreTo: 9},
		{IDs: random(2, 17, 97)},
		{IDs: random(3, 12, 97), Branches: [][]int32{{5}, {5, 6, 7}, {8, 9}, {5}}, Silent: true},
		{IDs: random(4, 21, 97), ScoreFrom: 15, ScoreTo: 20},
		{IDs: random(5, 3, 97)},
	}
}

var variants = []engine.Drop{nil, engine.Layers(0), engine.Layers(1), engine.Layers(2), engine.Layers(0, 1), engine.Layers(1, 2), engine.Layers(0, 2),
	engine.Layers(1),
	engine.Units(engine.Unit{Layer: 1, Part: engine.Attention}), engine.Units(engine.Unit{Layer: 1, Part: engine.MLP}),
	engine.Units(engine.Unit{Layer: 0}, engine.Unit{Layer: 1, Part: engine.MLP}, engine.Unit{Layer: 2, Part: engine.Attention})}

func TestVariantsWalkedTogetherEqualThoseWalkedAlone(t *testing.T) {
	for _, device := range devices() {
		m := open(t, "testdata/architectures/llama", device)
		together := run(t, m, engine.Pass{Sequences: mixed(), Variants: variants, Diverge: true})
		if together.Blocks >= together.Alone+2 || together.Passes != 1 {
			t.Errorf("%s: %d blocks together, %d alone, %d passes: nothing was shared", device, together.Blocks, together.Alone, together.Passes)
		}
		for v, drop := range variants {
			alone := run(t, m, engine.Pass{Sequences: mixed(), Variants: []engine.Drop{nil, drop}, Diverge: true})
			if difference := cmp.Diff(alone.Scores[1], together.Scores[v]); difference != "" && v > 0 {
				t.Errorf("%s: variant %v (- alone, + together):\n%s", device, drop, difference)
			}
		}
		for i, s := range together.Scores[0] {
			if s.KL != 0 || s.SameTop != s.Tokens {
				t.Errorf("%s: sequence %d: the whole model diverges from itself: %+v", device, i, s)
			}
		}
	}
}

func TestGroupingAndMemoryChangeNoBit(t *testing.T) {
	for _, device := range devices() {
		m := open(t, "testdata/architectures/mistral", device)
		want := run(t, m, engine.Pass{Sequences: mixed(), Variants: variants, Diverge: true})
		for _, p := range []engine.Pass{{Rows: 1}, {Rows: 20}, {Rows: 64, Memory: 30 << 10}, {Memory: 1}} {
			p.Sequences, p.Variants, p.Diverge = mixed(), variants, true
			got := run(t, m, p)
			if difference := cmp.Diff(want.Scores, got.Scores); difference != "" {
				t.Errorf("%s: rows %d, memory %d:\n%s", device, p.Rows, p.Memory, difference)
			}
			if p.Memory > 0 && got.Passes < 2 {
				t.Errorf("%s: memory %d: walked in %d pass", device, p.Memory, got.Passes)
			}
		}
	}
}

func TestThreadsChangeNoBit(t *testing.T) {
	var want *engine.Outcome
	for _, threads := range []int{1, 2, 3, 7} {
		m, err := engine.Open(context.Background(), "testdata/architectures/qwen2",
			engine.Options{Device: "cpu", Options: device.Options{Threads: threads}})
		if err != nil {
			t.Fatal(err)
		}
		got := run(t, m, engine.Pass{Sequences: mixed(), Variants: variants, Diverge: true})
		m.Close()
		if want == nil {
			want = got
		} else if difference := cmp.Diff(want.Scores, got.Scores); difference != "" {
			t.Errorf("%d threads:\n%s", threads, difference)
		}
	}
}

func TestSeveralDevicesChangeNoBit(t *testing.T) {
	for _, device := range []string{"reference,reference", "cpu,cpu,cpu"} {
		one, _, _ := strings.Cut(device, ",")
		var want *engine.Outcome
		var seen []engine.Measurement
		for _, d := range []string{one, device} {
			r := &recorder{t: t}
			m := open(t, "testdata/architectures/llama", d)
			steps := 0
			got := run(t, m, engine.Pass{Sequences: mixed(), Variants: variants, Diverge: true, Observe: []engine.Observer{r},
				Progress: func(engine.Step) { steps++ }})
			if steps == 0 {
				t.Errorf("%s: no progress", d)
			}
			if want == nil {
				want, seen = got, r.seen
				continue
			}
			if difference := cmp.Diff(want.Scores, got.Scores); difference != "" {
				t.Errorf("%s: scores differ from one device's:\n%s", d, difference)
			}
			if difference := cmp.Diff(seen, r.seen); difference != "" {
				t.Errorf("%s: observers see something else:\n%s", d, difference)
			}
		}
	}
}

// A branch must score what the whole sequence scores at the same tokens, with every mask that could tell the two apart.
func TestBranchesScoreAsWholeSequences(t *testing.T) {
	for _, name := range []string{"llama", "mistral", "gpt2", "qwen2-window", "gpt-neox"} {
		for _, device := range devices() {
			m := open(t, "testdata/architectures/"+name, device)
			context, branches := random(9, 11, 97), [][]int32{{3}, {4, 5, 6, 7, 8, 9}, random(10, 8, 97)}
			p := engine.Pass{Sequences: []engine.Sequence{{IDs: context, Branches: branches}}}
			for _, b := range branches {
				ids := append(append([]int32{}, context...), b...)
				p.Sequences = append(p.Sequences, engine.Sequence{IDs: ids, ScoreFrom: len(context), ScoreTo: len(ids)})
			}
			scores := run(t, m, p).Scores[0]
			for i := range branches {
				branch, whole := scores[0].Branches[i], scores[i+1].Score
				if branch.Tokens != whole.Tokens || branch.Hits != whole.Hits ||
					math.Abs(branch.LogLikelihood-whole.LogLikelihood) > 1e-4*math.Abs(whole.LogLikelihood) {
					t.Errorf("%s/%s: branch %d: %+v, as a whole sequence %+v", name, device, i, branch, whole)
				}
			}
		}
	}
}

// recorder keeps what it is shown, and checks the order in which it is.
type recorder struct {
	t     *testing.T
	seen  []engine.Measurement
	after [2]int
	sums  bool // whatever takes whole rows is not wanted
}

func (r *recorder) Wants() engine.Wants {
	return engine.Wants{Pooled: true, Last: true, RelativeBelow: !r.sums}
}

func (r *recorder) Observe(m *engine.Measurement) error {
	if now := [2]int{m.Layer, m.Sequence}; len(r.seen) > 0 && (now[0] < r.after[0] || now[0] == r.after[0] && now[1] <= r.after[1]) {
		r.t.Errorf("layer %d sequence %d shown after layer %d sequence %d", now[0], now[1], r.after[0], r.after[1])
	}
	r.after = [2]int{m.Layer, m.Sequence}
	kept := *m
	kept.Input, kept.Output = append([]float32{}, m.Input...), append([]float32{}, m.Output...)
	r.seen = append(r.seen, kept)
	return nil
}

func TestObserversSeeTheWholeModelInOrder(t *testing.T) {
	for _, on := range devices() {
		m := open(t, "testdata/architectures/llama", on)
		var first [2]*recorder
		for i, p := range []engine.Pass{{}, {}, {Rows: 7}, {Rows: 7}, {Variants: variants, Memory: 1}, {Variants: variants, Memory: 1}} {
			r := &recorder{t: t, sums: i%2 == 1}
			p.Sequences, p.Observe = mixed(), []engine.Observer{r}
			run(t, m, p)
			if want := m.Layers() * 4; len(r.seen) != want {
				t.Fatalf("%s: %d measurements, want %d: silent sequences are not shown", on, len(r.seen), want)
			}
			for _, seen := range r.seen {
				tokens := len(p.Sequences[seen.Sequence].IDs)
				if seen.Tokens != tokens || seen.Sites[device.SiteBlock].N != int64(tokens*32) || seen.Sites[device.SiteAct].N != int64(tokens*48) {
					t.Errorf("%s: layer %d sequence %d: %d tokens, %d values", on, seen.Layer, seen.Sequence, seen.Tokens, seen.Sites[device.SiteBlock].N)
				}
				if near := seen.Sites[device.SiteMLP].RelativeBelow; (near < 0) != r.sums {
					t.Errorf("%s: layer %d sequence %d: %d values near zero, asked for: %v", on, seen.Layer, seen.Sequence, near, !r.sums)
				}
			}
			if first[i%2] == nil {
				first[i%2] = r
			} else if difference := cmp.Diff(first[i%2].seen, r.seen); difference != "" {
				t.Errorf("%s: grouping changes what observers see:\n%s", on, difference)
			}
		}
	}
}

func TestPassRefusals(t *testing.T) {
	m := open(t, "testdata/architectures/llama", "reference")
	ids := random(1, 5, 97)
	for _, c := range []struct {
		name string
		pass engine.Pass
		want string
	}{
		{"no sequences", engine.Pass{}, "no sequences"},
		{"empty sequence", engine.Pass{Sequences: []engine.Sequence{{}}}, "sequence 0: no tokens"},
		{"id out of range", engine.Pass{Sequences: []engine.Sequence{{IDs: []int32{1, 97}}}}, "token id 97 at position 1: the vocabulary has ids 0 to 96"},
		{"negative id", engine.Pass{Sequences: []engine.Sequence{{IDs: []int32{-1}}}}, "token id -1"},
		{"too long", engine.Pass{Sequences: []engine.Sequence{{IDs: random(1, 65, 97)}}}, "65 tokens: the model has positions for 64"},
		{"first token scored", engine.Pass{Sequences: []engine.Sequence{{IDs: ids, ScoreTo: 3}}}, "the first token cannot be scored"},
		{"empty branch", engine.Pass{Sequences: []engine.Sequence{{IDs: ids, Branches: [][]int32{{}}}}}, "branch 0 has no tokens"},
		{"layer that does not exist", engine.Pass{Sequences: []engine.Sequence{{IDs: ids}}, Variants: []engine.Drop{engine.Layers(3)}},
			"drops layer 3: the model has layers 0 to 2"},
		{"all layers", engine.Pass{Sequences: []engine.Sequence{{IDs: ids}}, Variants: []engine.Drop{engine.Layers(0, 1, 2)}}, "drops all 3 layers"},
		{"unordered", engine.Pass{Sequences: []engine.Sequence{{IDs: ids}}, Variants: []engine.Drop{engine.Layers(1, 0)}}, "must ascend"},
		{"thresholds", engine.Pass{Sequences: []engine.Sequence{{IDs: ids}}, Eps: make([]float32, 9)}, "9 thresholds"},
		{"observed branches", engine.Pass{Sequences: []engine.Sequence{{IDs: ids, Branches: [][]int32{{1}}}}, Observe: []engine.Observer{&recorder{t: t}}},
			"make it silent"},
	} {
		_, err := m.Run(context.Background(), c.pass)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want one that says %q", c.name, err, c.want)
		}
	}
	cancelled, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := m.Run(cancelled, engine.Pass{Sequences: []engine.Sequence{{IDs: ids, ScoreFrom: 1, ScoreTo: 2}}}); err != context.Canceled {
		t.Errorf("cancelled: error %v", err)
	}
	broken := fmt.Errorf("broken")
	if _, err := m.Run(context.Background(), engine.Pass{Sequences: []engine.Sequence{{IDs: ids}},
		Trace: func(engine.TraceTensor) error { return broken }}); err != broken {
		t.Errorf("a trace's error came back as %v", err)
	}
}
