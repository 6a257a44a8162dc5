package report

// Two reports side by side: what differs in what was asked, in what was chosen, and in what came of it.

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"avssnative/avss"
)

// Comparison is two reports' differences. A figure that a report lacks is no number.
type Comparison struct {
	Subjects []Subject    `json:"subjects"` // what they are about; Same says what they share
	Plan     *PlanPair    `json:"plan,omitempty"`
	Scores   []ScorePair  `json:"scores,omitempty"`
	Only     [2][]string  `json:"scores_of_one,omitempty"` // keys of scores that only A, or only B, has
	Figures  []FigurePair `json:"figures,omitempty"`
	Tasks    []TaskPair   `json:"tasks,omitempty"`
	Cautions []string     `json:"cautions,omitempty"` // why figures do not mean the same
	labels   map[string]string
}

// Subject is one thing that a report is about, or was made by.
type Subject struct {
	What string `json:"what"`
	A    string `json:"a"`
	B    string `json:"b"`
	Same bool   `json:"same"`
}

// PlanPair is what goes in both, and in one alone: layers, or halves of layers where Unit says so.
type PlanPair struct {
	Unit  string `json:"unit,omitempty"`
	Both  []int  `json:"both"`
	OnlyA []int  `json:"only_a"`
	OnlyB []int  `json:"only_b"`
}

// ScorePair is how far two rankings of the same layers by the same metric agree.
type ScorePair struct {
	Key      string     `json:"key"`
	Spearman avss.Value `json:"spearman"`
	Kendall  avss.Value `json:"kendall"`
}

// FigurePair is one figure of both.
type FigurePair struct {
	Key string     `json:"key"`
	A   avss.Value `json:"a"`
	B   avss.Value `json:"b"`

	name string
	cell func(float64) Cell
}

// TaskPair is a task of both reports, or of one: the other's figures are then no numbers.
type TaskPair struct {
	Name       string     `json:"name"`
	Metric     string     `json:"metric"`
	DenseA     avss.Value `json:"dense_a"`
	DenseB     avss.Value `json:"dense_b"`
	PrunedA    avss.Value `json:"pruned_a"`
	PrunedB    avss.Value `json:"pruned_b"`
	RetentionA avss.Value `json:"retention_a"`
	RetentionB avss.Value `json:"retention_b"`
}

// Compare compares two reports.
func Compare(a, b *Report) *Comparison {
	c := &Comparison{labels: map[string]string{}}
	c.subjects(a, b)
	c.plans(a, b)
	c.rankings(a, b)
	c.figures(a, b)
	c.tasks(a, b)
	return c
}

func (c *Comparison) caution(format string, arguments ...any) {
	c.Cautions = append(c.Cautions, fmt.Sprintf(format, arguments...))
}

// sameModel says whether both are about the very same files, or, where that is not known, about a model of the same shape.
func sameModel(a, b *Report) bool {
	if a.Model.SHA256 != "" && b.Model.SHA256 != "" {
		return a.Model.SHA256 == b.Model.SHA256
	}
	return a.Model.Architecture == b.Model.Architecture && a.Model.Layers == b.Model.Layers && a.Model.Hidden == b.Model.Hidden &&
		a.Model.Parameters == b.Model.Parameters
}

func (c *Comparison) subjects(a, b *Report) {
	say := func(what, in1, in2 string) *Subject {
		if in1 == "" && in2 == "" {
			return &Subject{Same: true}
		}
		c.Subjects = append(c.Subjects, Subject{what, in1, in2, in1 == in2})
		return &c.Subjects[len(c.Subjects)-1]
	}
	model := say("model", a.name(), b.name())
	if model.Same = sameModel(a, b); !model.Same {
		c.caution("the models are not the same: only what is relative to each says something")
	}
	text := func(r *Report) (words, sum string) {
		if r.Calibration == nil {
			return "", ""
		}
		return fmt.Sprintf("%s, %d tokens", r.text(), r.Calibration.Tokens), r.Calibration.SHA256
	}
	textA, sumA := text(a)
	textB, sumB := text(b)
	if s := say("calibration text", textA, textB); sumA != "" && sumB != "" {
		if s.Same = sumA == sumB && textA == textB; !s.Same {
			c.caution("the calibration texts are not the same")
		}
	}
	chosen := func(r *Report) string {
		if r.Plan == nil {
			return ""
		}
		return fmt.Sprintf("%s, %s", r.label(r.Plan.Metric), r.Plan.Rule)
	}
	say("chosen by", chosen(a), chosen(b))
	repaired := func(r *Report) string {
		if r.Repair == nil {
			return ""
		}
		return string(r.Repair.Method)
	}
	say("repair", repaired(a), repaired(b))
	device := func(r *Report) string {
		return strings.TrimSpace(fmt.Sprintf("%s %s %s", r.Device.Name, r.Device.ISA, r.Device.Compute))
	}
	say("device", device(a), device(b))
	say("program", a.Tool.Version, b.Tool.Version)
}

// numbers gives the units of a plan in the finer of two units.
func numbers(units []int, unit, wanted string) []int {
	if unit == wanted {
		return units
	}
	var halves []int
	for _, l := range units {
		halves = append(halves, 2*l, 2*l+1)
	}
	return halves
}

func (c *Comparison) plans(a, b *Report) {
	if a.Plan == nil || b.Plan == nil {
		return
	}
	p := &PlanPair{Unit: a.Plan.Unit, Both: []int{}, OnlyA: []int{}, OnlyB: []int{}}
	if p.Unit == "" {
		p.Unit = b.Plan.Unit
	}
	inA, inB := numbers(a.Plan.Dropped, a.Plan.Unit, p.Unit), numbers(b.Plan.Dropped, b.Plan.Unit, p.Unit)
	for _, n := range inA {
		if slices.Contains(inB, n) {
			p.Both = append(p.Both, n)
		} else {
			p.OnlyA = append(p.OnlyA, n)
		}
	}
	for _, n := range inB {
		if !slices.Contains(inA, n) {
			p.OnlyB = append(p.OnlyB, n)
		}
	}
	c.Plan = p
}

func (c *Comparison) rankings(a, b *Report) {
	for _, key := range a.Keys() {
		inB, shared := b.Scores[key]
		if !shared {
			c.Only[0] = append(c.Only[0], key)
			continue
		}
		if n, m := len(a.Scores[key].Values), len(inB.Values); n != m {
			c.caution("the scores %s are of %d units in A and of %d in B, which do not compare", key, n, m)
			continue
		}
		c.labels[key] = a.label(key)
		x, y := a.Scores[key].Values, inB.Values
		c.Scores = append(c.Scores, ScorePair{key, avss.Value(avss.Spearman(x, y)), avss.Value(avss.KendallTau(x, y))})
	}
	for _, key := range b.Keys() {
		if _, shared := a.Scores[key]; !shared {
			c.Only[1] = append(c.Only[1], key)
		}
	}
}

// figures compares what the models came to as a whole.
func (c *Comparison) figures(a, b *Report) {
	share := func(v float64) Cell { return Share(v) }
	places := func(n int) func(float64) Cell { return func(v float64) Cell { return Number{Value: v, Places: n} } }
	quantity := func(v float64) Cell { return Quantity(v) }
	bytes := func(v float64) Cell { return Bytes(v) }
	for _, f := range []struct {
		key, name string
		of        func(*Report) float64
		cell      func(float64) Cell
	}{
		{"retention_beyond_chance", "retention beyond chance", ofRetention(func(k *Retention) avss.Value { return k.MeanOfCorrected }), share},
		{"retention", "retention, mean of ratios", ofRetention(func(k *Retention) avss.Value { return k.MeanOfRatios }), share},
		{"kl", "KL(dense ‖ pruned), nats a token", ofDivergence(func(d *Divergence) float64 { return d.KL }), places(4)},
		{"same_top", "same most likely token", ofDivergence(func(d *Divergence) float64 { return d.SameTop }), share},
		{"layers_dropped", "units that go", func(r *Report) float64 {
			if r.Plan == nil || a.Plan == nil || b.Plan == nil || a.Plan.Unit != b.Plan.Unit {
				return nan
			}
			return float64(len(r.Plan.Dropped))
		}, places(0)},
		{"parameters_dense", "parameters, dense", func(r *Report) float64 { return float64(r.Model.Parameters) }, quantity},
		{"parameters_pruned", "parameters, pruned", ofSize(func(s *Size) int64 { return s.ParametersPruned }), quantity},
		{"bytes_dense", "weights, dense", func(r *Report) float64 { return float64(r.Model.Bytes) }, bytes},
		{"bytes_pruned", "weights, pruned", ofSize(func(s *Size) int64 { return s.BytesPruned }), bytes},
		{"tokens_per_s_pruned", "tokens/s read, pruned", ofSpeed(func(s *Speed) float64 { return s.TokensPerSecondPruned }), places(0)},
		{"generated_per_s_pruned", "tokens/s made, pruned", ofSpeed(func(s *Speed) float64 { return s.GeneratedPerSecondPruned }), places(0)},
	} {
		x, y := f.of(a), f.of(b)
		if math.IsNaN(x) && math.IsNaN(y) {
			continue
		}
		c.Figures = append(c.Figures, FigurePair{f.key, avss.Value(x), avss.Value(y), f.name, f.cell})
	}
}

func ofRetention(of func(*Retention) avss.Value) func(*Report) float64 {
	return func(r *Report) float64 {
		if k := r.means(); k != nil {
			return float64(of(k))
		}
		return nan
	}
}

func ofDivergence(of func(*Divergence) float64) func(*Report) float64 {
	return func(r *Report) float64 {
		if r.Divergence == nil {
			return nan
		}
		return of(r.Divergence)
	}
}

func ofSize(of func(*Size) int64) func(*Report) float64 {
	return func(r *Report) float64 {
		if r.Size == nil {
			return nan
		}
		return float64(of(r.Size))
	}
}

func ofSpeed(of func(*Speed) float64) func(*Report) float64 {
	return func(r *Report) float64 {
		if r.Speed == nil || of(r.Speed) <= 0 {
			return nan
		}
		return of(r.Speed)
	}
}

// tasks compares task by task, A's first.
func (c *Comparison) tasks(a, b *Report) {
	find := func(r *Report, name string) *Task {
		for i := range r.Tasks {
			if r.Tasks[i].Name == name {
				return &r.Tasks[i]
			}
		}
		return nil
	}
	var names []string
	for _, r := range []*Report{a, b} {
		for _, t := range r.Tasks {
			if !slices.Contains(names, t.Name) {
				names = append(names, t.Name)
			}
		}
	}
	for _, name := range names {
		x, y := find(a, name), find(b, name)
		pair := TaskPair{Name: name, DenseA: avss.Value(nan), DenseB: avss.Value(nan), PrunedA: avss.Value(nan), PrunedB: avss.Value(nan),
			RetentionA: avss.Value(nan), RetentionB: avss.Value(nan)}
		for _, side := range []struct {
			task                     *Task
			dense, pruned, retention *avss.Value
		}{{x, &pair.DenseA, &pair.PrunedA, &pair.RetentionA}, {y, &pair.DenseB, &pair.PrunedB, &pair.RetentionB}} {
			if side.task == nil {
				continue
			}
			pair.Metric = side.task.Metric
			*side.dense = side.task.Dense.Value
			if side.task.Pruned != nil {
				*side.pruned, *side.retention = side.task.Pruned.Value, side.task.Retention
			}
		}
		c.Tasks = append(c.Tasks, pair)
		if x != nil && y != nil && asked(x) != asked(y) {
			c.caution("%s was not asked in the same way: %s, and %s", name, asked(x), asked(y))
		}
	}
}

// asked says how a task was asked: figures of two ways do not compare.
func asked(t *Task) string {
	words := []string{fmt.Sprintf("version %s, %d items by %s", t.Version, t.N, t.Metric)}
	if t.Convention != "" {
		words = append(words, t.Convention)
	}
	if t.FewShot > 0 {
		words = append(words, fmt.Sprintf("%d examples", t.FewShot))
	}
	if t.Chat {
		words = append(words, "as a chat")
	}
	return strings.Join(words, ", ")
}
