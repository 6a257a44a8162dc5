package report

import (
	"fmt"
	"math"
	"slices"
)

// sweepTable is what every metric's choice at every share came to.
func (r *Report) sweepTable() (Table, bool) {
	if r.Sweep == nil || len(r.Sweep.Points) == 0 {
		return Table{}, false
	}
	t := Table{Title: "What each metric's choice keeps", labels: 2}
	t.column("metric", "metric")
	t.column("dropped", "dropped", portionParts...)
	repairs := r.Sweep.repaired()
	if repairs {
		t.column("repair", "repair")
	}
	t.column("retention_beyond_chance", "beyond chance", keptParts...)
	t.column("retention", "raw", keptParts...)
	t.column("kl_nats_per_token", "KL")
	t.column("same_top_token", "same top")
	flipped := r.Sweep.Dense != nil
	if flipped {
		t.column("answers_changed", "flips")
	}
	sought := r.Sweep.sought()
	if sought {
		t.column("regret_nats_per_token", "regret")
	}
	first := r.Sweep.Points[0]
	for _, task := range first.Tasks {
		t.column(task.Name, task.Name)
	}
	spoken := r.Sweep.Dense != nil && r.Sweep.Dense.Fluency != nil
	if spoken {
		t.column("repeats", "repeats itself")
		t.column("drift", "other scripts")
	}
	sized, timed := first.Parameters > 0, first.TokensPerSecond > 0
	if sized {
		t.column("parameters", "parameters")
		t.column("bytes", "weights")
	}
	if timed {
		t.column("tokens_per_second", "tokens/s read")
		t.column("generated_per_second", "tokens/s made")
		t.column("cache_bytes", "keys, values")
	}
	points := r.Sweep.Points
	if r.Sweep.Dense != nil {
		points = append([]SweepPoint{*r.Sweep.Dense}, points...)
	}
	for i := range points {
		p := &points[i]
		cells := []Cell{Text(p.Metric), Portion{p.Count, p.Share}}
		if repairs {
			cells = append(cells, Text(p.Repair))
		}
		cells = append(cells, Kept{Share(p.Retention.MeanOfCorrected), p.Retention.CorrectedSpan},
			Kept{Share(p.Retention.MeanOfRatios), p.Retention.RatiosSpan}, Number{Value: p.Divergence.KL, Places: 3}, Share(p.Divergence.SameTop))
		if flipped {
			cells = append(cells, Share(p.Flips))
		}
		if sought {
			regret := math.NaN()
			if p.Regret != nil {
				regret = float64(*p.Regret)
			}
			cells = append(cells, Number{Value: regret, Places: 3})
		}
		for _, task := range p.Tasks {
			cells = append(cells, Number{Value: float64(task.Value), Places: 3})
		}
		if f := p.Fluency; spoken && f != nil {
			cells = append(cells, Share(f.Repeats), Share((&Fluencies{*r.Sweep.Dense.Fluency, f}).Drift()))
		} else if spoken {
			cells = append(cells, nil, nil)
		}
		if sized {
			cells = append(cells, Quantity(p.Parameters), Bytes(p.Bytes))
		}
		if timed {
			cells = append(cells, measured(p.TokensPerSecond), measured(p.Generated), Bytes(p.CacheBytes))
		}
		t.add(cells...)
	}
	t.Note = fmt.Sprintf("Beyond chance and raw are means of the tasks' ratios, with 95 %% of a bootstrap over their items; perplexities stand "+
		"apart where there are "+
		"accuracies. KL(dense ‖ pruned) is in nats a token, same top the share of tokens with the same most likely one, flips the share of items "+
		"answered differently. Judged in %d %s through the model "+
		"instead of %d, %d layer applications instead of %d, %.1f s.", r.Sweep.Passes, some("walk", r.Sweep.Passes), r.Sweep.PassesAlone, r.Sweep.Blocks,
		r.Sweep.BlocksAlone, r.Sweep.Seconds)
	if spoken {
		t.Note += " Repeats itself: the share of the runs of four tokens that it said before, going on from some texts; other scripts: the share " +
			"of its letters that " +
			"left the dense model's alphabets."
	}
	if r.Sweep.CacheTokens > 0 {
		t.Note += fmt.Sprintf(" Keys and values are those of a text of %d tokens.", r.Sweep.CacheTokens)
	}
	if sought {
		t.Note += " Regret is what a choice costs more than the best set that the search found, " +
			"in nats a token of the text, or a question of the task, that it searched by."
	}
	if r.Sweep.SecondsAlone > 0 {
		t.Note += fmt.Sprintf(" One by one it took %.1f s.", r.Sweep.SecondsAlone)
	}
	if repairs {
		t.Note += " A line without a repair is the plain cut; repair none: nothing that was tried came nearer to the dense model than that."
	}
	t.Notes = r.Sweep.notes()
	return t, true
}

// sought says whether a search has measured choices.
func (s *Sweep) sought() bool {
	return slices.ContainsFunc(s.Points, func(p SweepPoint) bool { return p.Regret != nil })
}

// notes says by what each task was measured, and which tasks tell nothing of what was kept.
func (s *Sweep) notes() []string {
	var order, without []string
	about := map[string][]string{}
	lacks := map[string]bool{}
	for _, p := range s.Points {
		for _, task := range p.Tasks {
			if math.IsNaN(float64(task.Retention)) && !lacks[task.Name] {
				lacks[task.Name] = true
				without = append(without, task.Name)
			}
		}
	}
	for _, task := range s.Points[0].Tasks {
		by := "by " + task.Metric
		if task.Convention != "" {
			by += fmt.Sprintf(", convention %q", task.Convention)
		}
		if about[by] == nil {
			order = append(order, by)
		}
		about[by] = append(about[by], task.Name)
	}
	var notes []string
	for _, by := range order {
		notes = append(notes, named(about[by], inNote)+": "+by+".")
	}
	if left := s.atChance(); len(left) > 0 {
		notes = append(notes, "Not counted: "+named(left, inNote)+" ("+notAbove+").")
	}
	if len(without) > 0 {
		notes = append(notes, "Not counted: "+named(without, inNote)+" (retention is undefined).")
	}
	return notes
}

// sweepPlansTable is the choices themselves, a line a metric.
func (r *Report) sweepPlansTable() (Table, bool) {
	if r.Sweep == nil || len(r.Sweep.Points) == 0 {
		return Table{}, false
	}
	t := Table{Title: "What each metric would drop"}
	t.column("metric", "metric")
	at, of := map[int]int{}, map[string]int{}
	for _, p := range r.Sweep.Points {
		if at[p.Count] == 0 {
			at[p.Count] = len(t.Columns)
			t.column(fmt.Sprintf("drop_%d", p.Count), fmt.Sprintf("%d %s", p.Count, some("layer", p.Count)))
		}
	}
	for i, name := range r.Sweep.metrics() {
		of[name] = i
		t.add(make([]Cell, len(t.Columns))...)
		t.Rows[i].Cells[0] = Text(name)
	}
	for _, p := range r.Sweep.Points {
		t.Rows[of[p.Metric]].Cells[at[p.Count]] = units(p.Dropped, r.Sweep.Unit, false)
	}
	return t, true
}

// measured is a speed, empty where there was no time to measure it.
func measured(speed float64) Cell {
	if speed == 0 {
		return nil
	}
	return Number{Value: speed}
}
