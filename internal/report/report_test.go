package report

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"avssnative/avss"
	"avssnative/prune"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// sample is a report with every part, of a model with `layers` layers.
func sample(layers int) *Report {
	pruned, said := Figure{0.5, 0.02}, "went went went"
	r := &Report{
		Schema: Schema, Tool: avss.ToolInfo{Name: "avssnative", Version: "0"}, Created: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC),
		Command:     []string{"avssnative", "run"},
		Model:       avss.ModelInfo{Ref: "a <b>&model", Architecture: "llama", Layers: layers, Hidden: 8, Parameters: 12345678, Bytes: 1 << 25, SHA256: "ab"},
		Device:      Device{Name: "cpu", ISA: "avx2", Threads: 2, Compute: "f32"},
		Calibration: &avss.CalibrationInfo{Source: "text", SHA256: "cd", Sequences: 3, Tokens: 99},
		Scores:      map[string]avss.Scores{},
		Tasks: Tasks{{Name: "zeta", Version: "1", N: 9, Metric: "acc", Chance: 0.25, Dense: Figure{0, 0.01}, Pruned: &pruned, Change: &Change{Retention: avss.Value(math.NaN()), P: 0.2, Test: "McNemar"}},
			{Name: "alpha", Version: "1", N: 9, Metric: "word_perplexity", Convention: "chunk-2048", Dense: Figure{12, 0.01}, Pruned: &pruned, Change: &Change{Retention: 0.9, P: 1e-9, KL: 0.1, SameTop: 0.5}}},
		Retention:  &Retention{0.9, 0.8, 0.7},
		Divergence: &Divergence{KL: 0.5, SameTop: 0.7, Tokens: 12},
		Size:       &Size{100, 80, 400, 320},
		Speed:      &Speed{TokensPerSecondDense: 10, TokensPerSecondPruned: 12, Seconds: Phases{{"scoring", 1.5}, {"judging", 2}, {"again", 0.25}}, PeakRSS: 1 << 20},
		Generation: []Generation{{Prompt: "They", Dense: "went home.", Pruned: &said, Repeats: 0.5}},
		References: avss.Bibliography("avss", "bi"),
		Output:     "smaller",
		Warnings:   []string{"mind the gap"},
	}
	rising, mixed, infinite := make(avss.Values, layers), make(avss.Values, layers), make(avss.Values, layers)
	for l := range layers {
		rising[l], mixed[l], infinite[l] = math.Exp(float64(l)), 0.1+math.Abs(math.Sin(float64(l))), math.Inf(1)
		r.Layers = append(r.Layers, avss.LayerRow{Index: l, Sites: map[string]avss.SiteSummary{
			"delta": {N: 5, Variance: avss.Value(l), RelativeVariance: avss.Value(mixed[l]), RelativeSparsity: 0.1, Eps: avss.Values{1e-5}, Sparsity: avss.Values{0}},
			"block": {N: 5, Variance: avss.Value(rising[l]), RelativeVariance: 1, RelativeSparsity: 0.01}}})
	}
	if layers > 1 {
		infinite[1] = 3e9
	}
	add := func(s avss.Scores, values avss.Values) {
		s.Values, s.Tau = values, 0.5
		for _, v := range values {
			s.Low, s.High = append(s.Low, v*0.9), append(s.High, v*1.1)
		}
		r.Scores[s.Key()] = s
	}
	add(avss.Scores{Metric: "avss", Mode: "robust", Site: "delta"}, mixed)
	add(avss.Scores{Metric: "avss", Mode: "paper", Site: "block", Notes: []string{"layers are infinite"}}, infinite)
	add(avss.Scores{Metric: "bi"}, rising)
	drop := []int{0}
	var kept []int
	for l := 1; l < layers; l++ {
		kept = append(kept, l)
	}
	r.Plan = &prune.Plan{Metric: "avss", Rule: "25%", Dropped: drop, Kept: kept, Warnings: []string{"layer 0 goes"}}
	r.Others = []prune.Plan{{Metric: "bi", Rule: "1", Dropped: drop, Kept: kept, Warnings: []string{}}}
	point := func(metric string, count int) SweepPoint {
		count = min(count, layers)
		return SweepPoint{Metric: metric, Count: count, Share: float64(count) / float64(layers), Dropped: drop, Retention: Retention{0.9, 0.9, 0.9}, Divergence: Divergence{KL: 0.01 * float64(count)},
			Tasks: []TaskPoint{{Name: "alpha", Metric: "word_perplexity", Convention: "chunk-2048", Value: avss.Value(10 * count), Retention: 0.9}}, Parameters: 12, TokensPerSecond: 3}
	}
	r.Sweep = &Sweep{Layers: layers, Points: []SweepPoint{point("avss", 1), point("avss", 2), point("first", 1), point("random-0", 1), point("random-1", 1)},
		Metrics: []string{"avss", "bi"}, Tau: []avss.Values{{1, 0.5}, {0.5, 1}}, Passes: 1, PassesAlone: 5, Blocks: 10, BlocksAlone: 50, Seconds: 1, SecondsAlone: 4}
	return r
}

// same compares reports; NaN equals NaN.
func same(a, b any) string {
	values := cmp.Comparer(func(a, b avss.Value) bool {
		return a == b || math.IsNaN(float64(a)) && math.IsNaN(float64(b))
	})
	return cmp.Diff(a, b, values, cmpopts.EquateNaNs(), cmpopts.EquateEmpty())
}

func TestRoundTrip(t *testing.T) {
	for _, r := range []*Report{sample(6), sample(1), {Schema: Schema}} {
		data, err := r.JSON()
		if err != nil {
			t.Fatal(err)
		}
		again, err := Parse(data)
		if err != nil {
			t.Fatal(err)
		}
		if diff := same(r, again); diff != "" {
			t.Error(diff)
		}
		second, err := again.JSON()
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(data), string(second)); diff != "" {
			t.Error(diff)
		}
	}
}

// Tasks and phases keep their order, and phases are an object of seconds.
func TestOrder(t *testing.T) {
	data, err := sample(4).JSON()
	if err != nil {
		t.Fatal(err)
	}
	if zeta, alpha := bytes.Index(data, []byte(`"zeta": {`)), bytes.Index(data, []byte(`"alpha": {`)); zeta < 0 || alpha < zeta {
		t.Errorf("tasks zeta at %d, alpha at %d", zeta, alpha)
	}
	var plain struct {
		Speed      struct{ Seconds map[string]float64 }
		Generation []any
	}
	if err := json.Unmarshal(data, &plain); err != nil || plain.Speed.Seconds["judging"] != 2 {
		t.Errorf("seconds %v, %v", plain.Speed.Seconds, err)
	}
	p := Phases{{"a", 1}}
	p.Add("b", 2)
	p.Add("a", 3)
	if diff := cmp.Diff(Phases{{"a", 4}, {"b", 2}}, p); diff != "" {
		t.Error(diff)
	}
	empty, err := (&Report{Schema: Schema}).JSON()
	if err != nil || !bytes.Contains(empty, []byte(`"generation": []`)) || !bytes.Contains(empty, []byte(`"references": []`)) {
		t.Errorf("%s, %v", empty, err)
	}
}

// A newer program may have written more.
func TestUnknownFieldsAreTolerated(t *testing.T) {
	data, err := sample(4).JSON()
	if err != nil {
		t.Fatal(err)
	}
	more := bytes.Replace(data, []byte(`"schema": 1,`), []byte(`"schema": 1, "moon": {"phase": [1, 2]},`), 1)
	more = bytes.Replace(more, []byte(`"hidden": 8,`), []byte(`"hidden": 8, "spin": "up",`), 1)
	r, err := Parse(more)
	if err != nil {
		t.Fatal(err)
	}
	if diff := same(sample(4), r); diff != "" {
		t.Error(diff)
	}
}

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
	for _, text := range []string{`{"schema": 1, "tasks": {"a": {}, "a": {}}}`, `{"schema": 1, "tasks": 3}`, `{"schema": 1, "speed": {"seconds": {"a": "b"}}}`, `{"schema": 1,`, `1`, ``} {
		if _, err := Parse([]byte(text)); err == nil {
			t.Errorf("%s was read", text)
		}
	}
}

// Every form renders every report, however little it holds, and holds what it says.
func TestForms(t *testing.T) {
	reports := []*Report{{Schema: Schema}, sample(1), sample(2), sample(16), sample(200)}
	alone := sample(4)
	alone.Tasks[0].Pruned, alone.Tasks[0].Change, alone.Tasks[1].Pruned, alone.Tasks[1].Change = nil, nil, nil, nil
	alone.Plan, alone.Retention, alone.Sweep = nil, nil, nil
	alone.Generation[0].Pruned = nil
	for i, r := range append(reports, alone) {
		for name, render := range map[string]func(io.Writer) error{"text": r.Terminal, "md": r.Markdown, "csv": r.CSV, "html": r.HTML} {
			var b bytes.Buffer
			if err := render(&b); err != nil {
				t.Fatalf("report %d, %s: %v", i, name, err)
			}
			out := b.String()
			if !utf8.ValidString(out) || strings.Contains(out, "NaN") || strings.Contains(out, "%!") {
				t.Errorf("report %d, %s: %.400q", i, name, out)
			}
			if name == "html" && r.Model.Ref != "" && (strings.Contains(out, "<b>&model") || !strings.Contains(out, "a &lt;b&gt;&amp;model")) {
				t.Errorf("report %d: the model's name is not escaped", i)
			}
		}
		pictures, err := r.Pictures()
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range pictures {
			svg, err := p.SVG()
			if err != nil || !strings.HasPrefix(svg, "<svg") {
				t.Errorf("report %d, %s: %.40s, %v", i, p.Name, svg, err)
			}
			if i == 3 {
				if data, err := p.PNG(); err != nil || !bytes.HasPrefix(data, []byte("\x89PNG")) {
					t.Errorf("%s: %v", p.Name, err)
				}
			}
		}
	}
	var names []string
	pictures, err := sample(16).Pictures()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range pictures {
		names = append(names, p.Name)
	}
	if diff := cmp.Diff([]string{"retention", "sweep-retention", "sweep-perplexity", "sweep-divergence", "scores-avss", "scores-avss-paper-block", "scores-bi", "variance", "sparsity", "raw-variance"}, names); diff != "" {
		t.Error(diff)
	}
}

func TestTerminalSays(t *testing.T) {
	var b bytes.Buffer
	if err := sample(16).Terminal(&b); err != nil {
		t.Fatal(err)
	}
	out := b.String()
	for _, want := range []string{"Without layer 0 (1 of 16, chosen by AVSS robust, delta) the model keeps 90.0 %", "Warning: layer 0 goes", "Warning: mind the gap",
		"The depth trap", "bi (1.000)", "15 of 16 scores are infinite", "NAVSS", "split-half τ", "on 1 task (mean of ratios)", "Not counted: zeta (retention is undefined).", "word_perplexity is by the convention \"chunk-2048\"", "< 0.001"} {
		if !strings.Contains(strings.Join(strings.Fields(out), " "), want) {
			t.Errorf("the text lacks %q", want)
		}
	}
	for _, line := range strings.Split(out, "\n") {
		if n := utf8.RuneCountInString(line); n > lineWidth {
			t.Errorf("%d columns: %s", n, line)
		}
	}
	if strings.Index(out, "retention, mean") > strings.Index(out, "parameters  ") {
		t.Error("retention does not stand first")
	}
}

func TestSaveAndRead(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "deep", "report")
	if err := sample(5).Save(dir); err != nil {
		t.Fatal(err)
	}
	r, err := Read(dir)
	if err != nil {
		t.Fatal(err)
	}
	if diff := same(sample(5), r); diff != "" {
		t.Error(diff)
	}
	before, err := os.ReadFile(filepath.Join(dir, "report.html"))
	if err != nil {
		t.Fatal(err)
	}
	for _, outside := range []string{"<script", "src=\"http", "href=\"http", "url("} {
		if bytes.Contains(before, []byte(outside)) {
			t.Errorf("the page holds %s", outside)
		}
	}
	if _, err := Read(t.TempDir()); err == nil || !strings.Contains(err.Error(), "no report.json") {
		t.Errorf("%v", err)
	}
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := sample(5).Save(file); err == nil {
		t.Error("a file was taken for a folder")
	}
}

func TestFigures(t *testing.T) {
	for want, got := range map[string]string{
		"0.698 ± 0.021": Figure{0.6984, 0.0205}.String(), "1": Figure{1, 0}.String(), "12.0 ± 1.3": Figure{12.04, 1.3}.String(), "8263 ± 120": Figure{8263.2, 120}.String(), "∞": Figure{avss.Value(math.Inf(1)), 1}.String(),
		"0, 1, 5": layers([]int{0, 1, 5}), "0–2, 9": layers([]int{0, 1, 2, 9}), "12–15": layers([]int{12, 13, 14, 15}), "": layers(nil),
		"3.22 M": count(3220000), "999": count(999), "1.5 KiB": size(1536), "12 B": size(12), "–": Percent(avss.Value(math.NaN())), "25.0 %": ratio(1, 4).shown(), "< 0.001": Probability(1e-4).shown(),
	} {
		if got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	for _, c := range []struct{ values, want string }{{"[118.4 0.1556 5.445]", "[118.400 0.156 5.445]"}, {"[274.8 106]", "[274.8 106.0]"}, {"[1e9 2.5e9]", "[1.00e+09 2.50e+09]"}, {"[0 0]", "[0.00 0.00]"}} {
		var values []float64
		for _, word := range strings.Fields(strings.Trim(c.values, "[]")) {
			var v float64
			fmt.Sscan(word, &v)
			values = append(values, v)
		}
		if got := fmt.Sprint(texts(aligned(values))); got != c.want {
			t.Errorf("%s: %s, want %s", c.values, got, c.want)
		}
	}
	if got := texts(aligned([]float64{math.NaN(), math.Inf(1), 2})); got[0] != "–" || got[1] != "∞" {
		t.Errorf("%q", got)
	}
}

// texts are cells as a person reads them.
func texts(cells []Cell) []string {
	out := make([]string, len(cells))
	for i, c := range cells {
		out[i] = c.shown()
	}
	return out
}

func TestAxes(t *testing.T) {
	for _, c := range []struct{ low, high float64 }{{0, 1}, {-3, 7}, {0.001, 0.0042}, {5e8, 2e9}, {99, 101}, {1e-9, 2e-9}} {
		ticks := steps(c.low, c.high)
		if len(ticks) < 2 || len(ticks) > 7 {
			t.Errorf("%v: %d ticks", c, len(ticks))
		}
		for _, tick := range ticks {
			if tick.Value < c.low-1e-9*c.high || tick.Value > c.high*(1+1e-9) || strings.HasPrefix(tick.Label, "-0") && tick.Value == 0 {
				t.Errorf("%v: %v", c, tick)
			}
		}
	}
	labels := 0
	for _, tick := range decades(0.15, 118) {
		if tick.Label != "" {
			labels++
		}
	}
	if labels < 3 || len(decades(0, 1)) != 0 {
		t.Errorf("%d labels", labels)
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
