package report

import (
	"os/exec"
	"slices"
	"strings"
	"testing"

	"avssnative/avss"
)

// What is said follows what was measured: spared, missed, not to be spared.
func TestGrades(t *testing.T) {
	span := func(low, high float64) *Span { return &Span{avss.Value(low), avss.Value(high)} }
	for _, c := range []struct {
		name string
		kept float64
		span *Span
		kl   float64
		want grade
	}{
		{"hardly missed", 0.97, span(0.93, 1), 0.02, spared},
		{"next words differ", 0.97, span(0.93, 1), 0.8, costly},
		{"missed", 0.85, span(0.82, 0.88), 0.3, costly},
		{"few items, next words the same", 0.85, span(0.6, 1.1), 0.02, spared},
		{"few items, next words differ", 0.85, span(0.6, 1.1), 0.3, costly},
		{"much lost", 0.4, span(0.35, 0.45), 0.8, ruinous},
		{"right answers by luck", 0.97, span(0.93, 1), 16.5, ruinous},
		{"perplexities alone", nan, nil, 0.1, spared},
	} {
		f := &finding{retention: &Retention{MeanOfCorrected: avss.Value(c.kept), CorrectedSpan: c.span}, divergence: &Divergence{KL: c.kl, Tokens: 9}}
		if got := f.grade(); got != c.want {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
	if got := (&finding{retention: &Retention{MeanOfCorrected: avss.Value(nan)}}).grade(); got != unjudged {
		t.Errorf("nothing known: %v", got)
	}
}

// A sweep tells of the largest cut that is spared, by the set with the least divergence; baselines are recommended by nobody.
func TestVerdictOfASweep(t *testing.T) {
	r := sample(8)
	r.Plan, r.Repair = nil, nil
	point := func(metric string, kl float64, dropped ...int) SweepPoint {
		p := r.Sweep.Points[0]
		p.Metric, p.Count, p.Share, p.Dropped, p.Bytes = metric, len(dropped), float64(len(dropped))/8, dropped, 1000
		p.Retention = Retention{MeanOfRatios: 0.98, MeanOfCorrected: 0.95, RatioOfMeans: 0.98}
		p.Divergence = Divergence{KL: kl, Tokens: 9}
		return p
	}
	r.Command = []string{"avssnative", "bench", "--model=some model", "--limit=40", "--shares=12.5,25"}
	r.Sweep.Points = []SweepPoint{point("avss", 0.2, 1), point("avss", 0.4, 1, 2), point("avss", 3, 1, 2, 3), point("bi", 0.1, 5), point("bi", 0.3,
		5, 6),
		point("first", 0.25, 0, 1)}
	v := r.Verdict()
	if len(v) != 5 || !strings.Contains(v[0], "can do without layers 5, 6 (2 of 8, chosen by bi)") {
		t.Fatalf("%q", v)
	}
	if !strings.Contains(v[2], "2 metrics name 2 different sets") || !strings.Contains(v[3], "layers 0, 1 (chosen by first, 0.25 nats a token)") ||
		!strings.Contains(v[3], "the dense model in Q8_0") {
		t.Errorf("%q", v)
	}
	if v[4] != "Next: avssnative run '--model=some model' --limit=40 --drop=5,6 --out=a-b-model-without-2" {
		t.Errorf("%q", v[4])
	}
	r.Sweep.Points = []SweepPoint{point("avss", 4, 1), point("avss", 5, 1, 2)}
	if v = r.Verdict(); !strings.Contains(v[0], "cannot spare layer 1 (1 of 8") || !strings.HasSuffix(v[4], "--drop=1,") {
		t.Errorf("%q", v)
	}
}

// The command line to run next is the one that was run, changed where it must be, and a shell reads it as it is meant.
func TestNextCommand(t *testing.T) {
	r := sample(16)
	r.Tasks, r.Output = nil, ""
	r.Plan.Dropped = []int{3, 4, 5, 6}
	r.Command = []string{"avssnative", "run", "--model=/models/it's.gguf", "--drop=25%", "--report=old", "--force=true"}
	r.Model.Ref = "/models/it's.gguf"
	r.Model.Name = ""
	next := func(kept, kl float64) string {
		r.Retention = &Retention{MeanOfRatios: avss.Value(kept), MeanOfCorrected: avss.Value(kept)}
		r.Divergence = &Divergence{KL: kl, Tokens: 9}
		v := r.Verdict()
		if !strings.HasPrefix(v[0], "it's ") {
			t.Errorf("called %q", v[0])
		}
		return strings.TrimPrefix(v[4], "Next: ")
	}
	for _, c := range []struct {
		kept, kl float64
		want     []string
	}{{0.95, 0.1, []string{"avssnative", "run", "--model=/models/it's.gguf", "--drop=25%", "--out=it-s-without-4.gguf"}},
		{0.5, 3, []string{"avssnative", "run", "--model=/models/it's.gguf", "--drop=2"}}} {
		line := next(c.kept, c.kl)
		out, err := exec.Command("sh", "-c", `printf '%s\n' `+line).Output()
		if err != nil {
			t.Skipf("no shell: %v", err)
		}
		if got := strings.Split(strings.TrimSpace(string(out)), "\n"); !slices.Equal(got, c.want) {
			t.Errorf("%q, want %q", got, c.want)
		}
	}
}

func TestNames(t *testing.T) {
	for _, c := range []struct{ ref, name, want string }{{"demo", "", "demo"}, {"org/name@rev", "", "org/name@rev"}, {"/a/b/SmolLM2.gguf", "",
		"SmolLM2"},
		{"./models/x/", "", "x"}, {"/a/b", "Their Name", "Their Name"}, {"a/b/c", "", "c"}} {
		r := &Report{Model: avss.ModelInfo{Ref: c.ref, Name: c.name}}
		if got := r.name(); got != c.want {
			t.Errorf("%+v: %q", c, got)
		}
	}
}

// A model that was only copied is not said to compute anything.
func TestBecameOfACopy(t *testing.T) {
	r := &Report{Output: "out", Uncomputed: "weights of type IQ4_XS"}
	if got := strings.Join(r.became(), " "); strings.Contains(got, "same logits") || !strings.Contains(got, "IQ4_XS") || !strings.Contains(got,
		"byte for byte") {
		t.Errorf("%q", got)
	}
}
