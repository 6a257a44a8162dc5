package report

import (
	"fmt"
	"strings"
)

// sweepTable is what every metric's choice at every share came to.
func (r *Report) sweepTable() (Table, bool) {
	if r.Sweep == nil || len(r.Sweep.Points) == 0 {
		return Table{}, false
	}
	t := Table{Title: "What each metric's choice keeps", Header: []string{"metric", "dropped", "retention", "KL"}}
	first := r.Sweep.Points[0]
	for _, task := range first.Tasks {
		t.Header = append(t.Header, strings.ReplaceAll(task.Name, "_", "_\n"))
		about := "by " + task.Metric
		if task.Convention != "" {
			about += fmt.Sprintf(", convention %q", task.Convention)
		}
		t.note("%s: %s.", task.Name, about)
	}
	sized, timed := first.Parameters > 0, first.TokensPerSecond > 0
	if sized {
		t.Header = append(t.Header, "para-\nmeters")
	}
	if timed {
		t.Header = append(t.Header, "tokens/s")
	}
	for _, p := range r.Sweep.Points {
		row := []string{p.Metric, fmt.Sprintf("%d (%.0f %%)", p.Count, 100*p.Share), percent(p.Retention.MeanOfRatios), fmt.Sprintf("%.3f", p.Divergence.KL)}
		for _, task := range p.Tasks {
			row = append(row, decimals(float64(task.Value), 3))
		}
		if sized {
			row = append(row, count(p.Parameters))
		}
		if timed {
			row = append(row, fmt.Sprintf("%.0f", p.TokensPerSecond))
		}
		t.Rows = append(t.Rows, row)
	}
	t.Note = fmt.Sprintf("Retention is the mean of the tasks' ratios; KL(whole ‖ smaller) is in nats a token. Judged in %d %s through the model instead of %d, "+
		"%d layer applications instead of %d, %.1f s.", r.Sweep.Passes, some("walk", r.Sweep.Passes), r.Sweep.PassesAlone, r.Sweep.Blocks, r.Sweep.BlocksAlone, r.Sweep.Seconds)
	if r.Sweep.SecondsAlone > 0 {
		t.Note += fmt.Sprintf(" One by one it took %.1f s.", r.Sweep.SecondsAlone)
	}
	return t, true
}

// sweepPlansTable is the choices themselves, a line a metric.
func (r *Report) sweepPlansTable() (Table, bool) {
	if r.Sweep == nil || len(r.Sweep.Points) == 0 {
		return Table{}, false
	}
	t := Table{Title: "What each metric would drop", Header: []string{"metric"}}
	at := map[int]int{}
	for _, p := range r.Sweep.Points {
		if at[p.Count] == 0 {
			at[p.Count] = len(t.Header)
			t.Header = append(t.Header, fmt.Sprintf("%d layers", p.Count))
		}
	}
	for _, name := range r.Sweep.metrics() {
		row := make([]string, len(t.Header))
		row[0] = name
		for _, p := range r.Sweep.Points {
			if p.Metric == name {
				row[at[p.Count]] = layers(p.Dropped)
			}
		}
		t.Rows = append(t.Rows, row)
	}
	return t, true
}

// agreementTable has numbers over its columns, which the rows explain: names would not fit.
func (r *Report) agreementTable() (Table, bool) {
	if r.Sweep == nil || len(r.Sweep.Metrics) == 0 {
		return Table{}, false
	}
	t := Table{Title: "Agreement between metrics (Kendall's τ)", Header: []string{"metric"}}
	for i, name := range r.Sweep.Metrics {
		t.Header = append(t.Header, fmt.Sprint(i+1))
		row := []string{fmt.Sprintf("%d %s", i+1, name)}
		for _, tau := range r.Sweep.Tau[i] {
			row = append(row, decimals(tau, 2))
		}
		t.Rows = append(t.Rows, row)
	}
	return t, true
}
