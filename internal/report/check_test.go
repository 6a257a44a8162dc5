package report

import (
	"io"
	"strings"
	"testing"
)

func TestParseRefuses(t *testing.T) {
	for want, change := range map[string]func(*Report){
		"schema 2":                 func(r *Report) { r.Schema = 2 },
		"model.layers":             func(r *Report) { r.Model.Layers = 1 << 30 },
		"scores.bi.values":         func(r *Report) { s := r.Scores["bi"]; s.Values = s.Values[:2]; r.Scores["bi"] = s },
		"scores.bi.low":            func(r *Report) { s := r.Scores["bi"]; s.Low = s.Low[:2]; r.Scores["bi"] = s },
		"scores.bi: 0 low":         func(r *Report) { s := r.Scores["bi"]; s.Low = nil; r.Scores["bi"] = s },
		"layers: 3 rows":           func(r *Report) { r.Layers = r.Layers[:3] },
		"layers[1]: index 7":       func(r *Report) { r.Layers[1].Index = 7 },
		"plan avss: dropped":       func(r *Report) { r.Plan.Dropped = []int{9} },
		"plan bi: kept":            func(r *Report) { r.Others[0].Kept = []int{-1} },
		"tasks.zeta: pruned":       func(r *Report) { r.Tasks[0].Change = nil },
		"tasks.alpha: pruned":      func(r *Report) { r.Tasks[1].Change, r.Tasks[1].Pruned = nil, nil },
		"sweep: 1 metrics":         func(r *Report) { r.Sweep.Metrics = r.Sweep.Metrics[:1] },
		"sweep.agreement_tau[1]":   func(r *Report) { r.Sweep.Tau[1] = nil },
		"sweep.points[2]: layer 5": func(r *Report) { r.Sweep.Points[2].Dropped = []int{5} },
		"sweep.points[1]: 0 tasks": func(r *Report) { r.Sweep.Points[1].Tasks = nil },
	} {
		r := sample(5)
		change(r)
		data, err := r.JSON()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := Parse(data); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
	for _, text := range []string{
		`{"schema": 1, "tasks": {"a": {}, "a": {}}}`, `{"schema": 1, "tasks": 3}`, `{"schema": 1, "speed": {"seconds": {"a": "b"}}}`,
		`{"schema": 1,`, `1`, ``} {
		if _, err := Parse([]byte(text)); err == nil {
			t.Errorf("%s was read", text)
		}
	}
}

// What Parse takes, every form renders; what it takes, it writes and takes again.
func FuzzParse(f *testing.F) {
	for _, layers := range []int{1, 3} {
		data, err := sample(layers).JSON()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Add([]byte(`{"schema":1}`))
	f.Add([]byte(`{"schema":1,"model":{"layers":2},"scores":{"bi":{"values":[null,"inf"],"low":[0,0],"high":["-inf",1e308]}}}`))
	f.Add([]byte(`{"schema":1,"model":{"layers":1},"sweep":{"layers":1,"points":[{"metric":"a","tasks":[{"convention":"x","value":-1}]}]}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		r, err := Parse(data)
		if err != nil {
			return
		}
		again, err := r.JSON()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := Parse(again); err != nil {
			t.Fatalf("%v: %s", err, again)
		}
		if r.Model.Layers > 1000 {
			return
		}
		for _, render := range []func(io.Writer) error{r.Terminal, r.Markdown, r.CSV, r.HTML} {
			if err := render(io.Discard); err != nil {
				t.Fatal(err)
			}
		}
	})
}
