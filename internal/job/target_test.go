package job

import (
	"errors"
	"math"
	"slices"
	"strings"
	"testing"

	"avssnative/engine"
	"avssnative/prune"
)

// The number of layers that a target comes to is the last, or the first, for which what is measured holds.
func TestAim(t *testing.T) {
	j := measured(t, demoModel(), 1200, Scoring{})
	o := Evaluation{Sets: loaded(t, "", 10, DefaultTasks...)}
	choice := Choice{Metric: "avss"}
	for text, method := range map[string]prune.RepairMethod{"kl 0.05": prune.RepairNone, "kl 0.02": prune.RepairScale, "retention 97%": "",
		"memory 5MiB ctx 512": ""} {
		target, err := prune.ParseTarget(text)
		if err != nil {
			t.Fatal(err)
		}
		rule, err := j.Aim(t.Context(), target, choice, method, o)
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		a := j.Report.Aimed
		if rule.String() != prune.Count(a.Count).String() || !target.Holds(a.Value) || a.Target != text {
			t.Errorf("%s: %s, %+v", text, rule, a)
		}
		next := a.Count + 1
		if target.Kind == prune.TargetMemory {
			next = a.Count - 1
		}
		for _, m := range a.Tried {
			if m.Count == next && target.Holds(m.Value) || m.Count == a.Count && m.Value != a.Value {
				t.Errorf("%s: %+v", text, a)
			}
		}
		// What is chosen is what was measured, also for the report.
		choice := choice
		choice.Rule = rule
		drop, err := j.Choose(choice)
		if err != nil {
			t.Fatal(err)
		}
		if len(drop) != a.Count || !strings.Contains(j.Report.Plan.Rule, text) {
			t.Errorf("%s: %s by %s", text, drop, j.Report.Plan.Rule)
		}
		switch target.Kind {
		case prune.TargetMemory:
			_, bytes := j.Model.Size(drop)
			if got := bytes + j.Model.CacheBytes(drop, 512, 2); float64(got) != a.Value {
				t.Errorf("%s: %d bytes, %v measured", text, got, a.Value)
			}
		case prune.TargetRetention:
			if _, err := j.Judge(t.Context(), o, drop); err != nil {
				t.Fatal(err)
			}
			if got := float64(j.Report.Retention.MeanOfRatios); got != a.Value {
				t.Errorf("%s: %v, %v measured", text, got, a.Value)
			}
		}
	}
	for text, part := range map[string]string{"kl 0.0000001": "the most that can go is nothing", "memory 1KiB": "the most that can go is 15 layers",
		"memory 1GiB": "nothing has to go", "speed 1000x": "the most that can go is 15 layers"} {
		target, err := prune.ParseTarget(text)
		if err != nil {
			t.Fatal(err)
		}
		var unmet *prune.Unmet
		if _, err := j.Aim(t.Context(), target, choice, "", o); !errors.As(err, &unmet) || !strings.Contains(err.Error(), part) {
			t.Errorf("%s: %v", text, err)
		}
	}
	target, err := prune.ParseTarget("memory 1KiB")
	if err != nil {
		t.Fatal(err)
	}
	choice.Protect = prune.Protect{First: 4, Last: 2}
	if _, err := j.Aim(t.Context(), target, choice, "", o); err == nil || !strings.Contains(err.Error(), "10 layers") {
		t.Errorf("with protected layers: %v", err)
	}
}

// Shares that are judged beside the plan come out as each of them does by itself.
func TestBeside(t *testing.T) {
	j := measured(t, demoModel(), 1200, Scoring{})
	o := Evaluation{Sets: loaded(t, "", 6, DefaultTasks...)}
	drop, err := j.Choose(quarter(t))
	if err != nil {
		t.Fatal(err)
	}
	if err := j.Repair(t.Context(), drop, prune.RepairScale); err != nil {
		t.Fatal(err)
	}
	if err := j.Beside(t.Context(), quarter(t), []float64{0.375, 0.125, 0.25}, prune.RepairScale); err != nil {
		t.Fatal(err)
	}
	if _, err := j.Judge(t.Context(), o, drop); err != nil {
		t.Fatal(err)
	}
	s := j.Report.Sweep
	if len(s.Points) != 3 || s.Passes != 1 || s.Blocks >= s.BlocksAlone {
		t.Fatalf("%+v", s)
	}
	for i, count := range []int{2, 4, 6} {
		p := s.Points[i]
		if p.Count != count || len(p.Dropped) != count || p.Repair == "" || p.Metric != "avss" {
			t.Errorf("%+v", p)
		}
		alone := measured(t, demoModel(), 1200, Scoring{})
		if err := alone.Repair(t.Context(), engine.Layers(p.Dropped...), prune.RepairScale); err != nil {
			t.Fatal(err)
		}
		if _, err := alone.Judge(t.Context(), o, engine.Layers(p.Dropped...)); err != nil {
			t.Fatal(err)
		}
		if p.Divergence != *alone.Report.Divergence {
			t.Errorf("%d layers: %+v, alone %+v", count, p.Divergence, alone.Report.Divergence)
		}
		for k, task := range alone.Report.Tasks {
			if p.Tasks[k].Value != task.Pruned.Value && !math.IsNaN(float64(task.Pruned.Value)) {
				t.Errorf("%d layers: %s %v, alone %v", count, task.Name, p.Tasks[k].Value, task.Pruned.Value)
			}
		}
	}
	if err := j.Generate(t.Context(), Generating{Tokens: 4}, drop); err != nil {
		t.Fatal(err)
	}
	if len(s.Prompts) != 2 || s.Prompts[0] != j.Report.Generation[0].Prompt || s.Dense.Says[1] != j.Report.Generation[1].Dense ||
		s.Points[1].Says[0] != *j.Report.Generation[0].Pruned {
		t.Errorf("after %q the sweep says %q and %q, the plan %+v", s.Prompts, s.Dense.Says, s.Points[1].Says, j.Report.Generation)
	}
	for _, p := range s.Points {
		texts, _, err := j.say(t.Context(), j.prompts(Generating{}), engine.Layers(p.Dropped...), j.further[slices.IndexFunc(j.further,
			func(f planned) bool { return f.count == p.Count })].repair, 4)
		if err != nil || !slices.Equal(texts, p.Says) || p.Fluency == nil || p.Fluency.Texts != 2 {
			t.Errorf("%d layers: %q by itself, %q in the sweep, %v", p.Count, texts, p.Says, err)
		}
	}
	if err := j.Beside(t.Context(), quarter(t), []float64{0.99}, ""); err == nil {
		t.Error("a share that leaves nothing")
	}
}
