package report

import (
	"bytes"
	"fmt"
	"math"
	"strings"
	"testing"

	"avssnative/avss"

	"github.com/jedib0t/go-pretty/v6/text"
)

// crowd is a report of 30 metrics, of which most are known to nobody, and 40 tasks, with a sweep over all of them.
func crowd() *Report {
	r := sample(6)
	r.Metrics = map[string]Metric{}
	pruned := Figure{0.5, 0.02}
	r.Tasks, r.Others = nil, nil
	var at []TaskPoint
	for i := range 40 {
		name := fmt.Sprintf("a_task_with_a_long_name_%d", i)
		r.Tasks = append(r.Tasks, Task{Name: name, Metric: "acc_norm", N: 500, Chance: 0.25, Dense: Figure{0.625, 0.02}, Pruned: &pruned,
			Change: &Change{Retention: 0.8, ChanceCorrected: avss.Value(1. / 1.5), P: 0.01, KL: 0.5, SameTop: 0.75}})
		at = append(at, TaskPoint{Name: name, Metric: "acc_norm", Value: 0.5, Retention: 0.8})
	}
	r.Sweep.Dense.Tasks = at
	r.Sweep.Points, r.Sweep.Metrics, r.Sweep.Tau = nil, nil, nil
	for i := range 30 {
		name := fmt.Sprintf("own-metric-number-%d", i)
		s := r.Scores["bi"]
		s.Metric = name
		r.Scores[name] = s
		r.Metrics[name] = Metric{Unit: "nats a token"}
		r.Sweep.Metrics, r.Sweep.Tau = append(r.Sweep.Metrics, name), append(r.Sweep.Tau, make(avss.Values, 30))
		for count := 1; count < 4; count++ {
			r.Sweep.Points = append(r.Sweep.Points, SweepPoint{Metric: name, Count: count, Share: float64(count) / 6, Dropped: []int{0, 1, 2}[:count],
				Retention: Retention{MeanOfRatios: 0.8, MeanOfCorrected: 0.7, RatioOfMeans: 0.6}, Divergence: Divergence{KL: float64(i)}, Tasks: at})
		}
	}
	return r
}

// However many metrics and tasks there are, a line is 80 columns wide at most, and nothing is left out.
func TestEightyColumns(t *testing.T) {
	r := crowd()
	if err := r.check(); err != nil {
		t.Fatal(err)
	}
	out := rendered(t, r.Terminal)
	for _, line := range strings.Split(out, "\n") {
		if n := text.StringWidthWithoutEscSequences(line); n > lineWidth {
			t.Errorf("%d columns: %s", n, line)
		}
	}
	for i := range 30 {
		if !strings.Contains(out, fmt.Sprintf("own-metric-number-%d", i)) {
			t.Errorf("metric %d is not shown", i)
		}
	}
	records := sections(t, r)
	// metric, count, share, two retentions with their intervals, divergence, same top and flips stand beside the tasks.
	if n := len(records["What each metric's choice keeps"][0]); n != 12+40 {
		t.Errorf("the sweep has %d columns", n)
	}
	pictures, err := r.Pictures()
	if err != nil || len(pictures) != 1+2+33+3 {
		t.Errorf("%d pictures, %v", len(pictures), err)
	}
}

// A text wider than a line is broken, a wide letter counts twice.
func TestWideTexts(t *testing.T) {
	r := sample(4)
	r.Model.Ref, r.Tasks[0].Name, r.Tasks[0].Metric = strings.Repeat("x", 300), strings.Repeat("大", 90), strings.Repeat("y z", 90)
	r.Scores["own"] = avss.Scores{Metric: strings.Repeat("w", 100), Values: r.Scores["bi"].Values}
	r.Metrics = map[string]Metric{r.Scores["own"].Metric: {Label: strings.Repeat("label", 30)}}
	for _, line := range strings.Split(rendered(t, r.Terminal), "\n") {
		if n := text.StringWidthWithoutEscSequences(line); n > lineWidth {
			t.Errorf("%d columns: %s", n, line)
		}
	}
}

// The extremes of 20,000 layers and of 20,000 tasks are drawn, and the picture says so; every table holds all rows.
func TestTwentyThousandRows(t *testing.T) {
	const rows = 20000
	r := sample(rows)
	r.Sweep = nil
	task := r.Tasks[1]
	r.Tasks = nil
	for i := range rows {
		task.Name = fmt.Sprint("t", i)
		task.Change = &Change{Retention: avss.Value(0.5 + 0.3*math.Sin(float64(i)))}
		r.Tasks = append(r.Tasks, task)
	}
	lowest, highest := &r.Tasks[7777], &r.Tasks[12345]
	lowest.Retention, highest.Retention = 0.01, 1.5
	values := r.Scores["bi"].Values
	for l := range values {
		values[l] = 1 + math.Sin(float64(l))/2
	}
	values[5000], values[15001] = 0.25, 9
	if err := r.check(); err != nil {
		t.Fatal(err)
	}
	pictures, err := r.Pictures()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range pictures {
		svg, err := p.SVG()
		if err != nil {
			t.Fatal(err)
		}
		if len(svg) > 1<<20 {
			t.Errorf("%s takes %d bytes", p.Name, len(svg))
		}
		if !strings.Contains(svg, "of 20,000 layers: the lowest and the highest of every 100") &&
			!strings.Contains(svg, "of 20,000 tasks: the 20 lowest and the 20 highest") {
			t.Errorf("%s does not say what it shows", p.Name)
		}
		if p.Name == "retention" && !(strings.Contains(svg, ">t7777<") && strings.Contains(svg, ">t12345<")) {
			t.Error("the lowest or the highest task is not drawn")
		}
	}
	shown := map[int]bool{}
	for _, layer := range extremes(values, neighbours(rows), drawable) {
		shown[layer] = true
	}
	if !shown[5000] || !shown[15001] || len(shown) > mostLayers {
		t.Errorf("%d layers are drawn, the lowest %v, the highest %v", len(shown), shown[5000], shown[15001])
	}
	records := sections(t, r)
	if n := len(records["Tasks"]); n != rows+1 {
		t.Errorf("%d lines of tasks", n)
	}
	if n := len(records["Layers"]); n != rows+1 {
		t.Errorf("%d lines of layers", n)
	}
	var b bytes.Buffer
	if err := r.HTML(&b); err != nil || bytes.Count(b.Bytes(), []byte("<tr")) < 4*rows {
		t.Errorf("%d rows on the page, %v", bytes.Count(b.Bytes(), []byte("<tr")), err)
	}
}

func TestExtremes(t *testing.T) {
	values := []float64{3, 1, 2, nan, 5, 4, nan, nan, 7}
	for n, want := range map[int]string{1: "[0 1 2 4 5 8]", 3: "[0 1 4 5 8]", 9: "[1 8]"} {
		if got := fmt.Sprint(extremes(values, n, drawable)); got != want {
			t.Errorf("of every %d: %s, want %s", n, got, want)
		}
	}
	for most, want := range map[int]string{2: "[1 3]", 3: "[0 1 3]", 9: "[0 1 2 3]"} {
		if got := fmt.Sprint(ends([]float64{3, 1, 2, 4}, most)); got != want {
			t.Errorf("%d ends: %s, want %s", most, got, want)
		}
	}
}
