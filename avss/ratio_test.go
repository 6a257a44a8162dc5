package avss

import (
	"bytes"
	"math"
	"slices"
	"strings"
	"testing"

	"avssnative/engine"
	"avssnative/engine/device"

	"github.com/google/go-cmp/cmp"
)

// own registers a metric for one test, as a file outside the tree does from its init.
func own(t *testing.T, d Definition) {
	t.Helper()
	Register(d)
	t.Cleanup(func() { delete(registry, d.Name) })
}

// share is how much of the stream's magnitude the block adds.
var share = Definition{Name: "share", About: "magnitude of what the block adds, over that of what leaves it", Unit: "parts",
	Papers: []Citation{{Authors: "Nobody", Year: 2024, Title: "Shares"}},
	New: Ratio(func(m *engine.Measurement) float64 { return m.Sites[device.SiteDelta].SumAbs },
		func(m *engine.Measurement) float64 { return m.Sites[device.SiteBlock].SumAbs })}

func TestRatioOfOnesOwn(t *testing.T) {
	own(t, share)
	sequences := randomSequences(6, 40, 5, 3)
	m := newMetric(t, "share")
	if err := walk(sequences, m); err != nil {
		t.Fatal(err)
	}
	s := scoresOf(t, m)
	for l := range s.Values {
		over, under := 0.0, 0.0
		for i := range sequences {
			measured := sequences[i].measure(l, nil, 0)
			over, under = over+measured.Sites[device.SiteDelta].SumAbs, under+measured.Sites[device.SiteBlock].SumAbs
		}
		near(t, "share", s.Values[l], over/under, 1e-12)
		if !(s.Low[l] <= s.Values[l] && s.Values[l] <= s.High[l]) {
			t.Errorf("layer %d: %v lies outside %v to %v", l, s.Values[l], s.Low[l], s.High[l])
		}
	}
	if math.IsNaN(float64(s.Tau)) || s.Metric != "share" || s.Ranking()[0] != 3 || len(s.References) != 0 {
		t.Errorf("scores %+v", s)
	}
	if papers := Bibliography("share", "bi"); len(papers) != 2 {
		t.Errorf("bibliography %v", papers)
	}
	if !slices.Contains(Names(Activation), "share") {
		t.Errorf("names %v", Names())
	}
	loaded, err := Load(marshal(t, m), testOptions(0))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(marshal(t, loaded), marshal(t, m)) {
		t.Error("the state that was loaded is saved as other bytes")
	}
	if diff := cmp.Diff(s, scoresOf(t, loaded), sameBits); diff != "" {
		t.Error(diff)
	}
}

func TestHighestFirst(t *testing.T) {
	own(t, Definition{Name: "stillness", About: "the opposite of share", HighestFirst: true,
		New: Ratio(func(m *engine.Measurement) float64 { return m.Sites[device.SiteBlock].SumAbs },
			func(m *engine.Measurement) float64 { return m.Sites[device.SiteDelta].SumAbs })})
	m := newMetric(t, "stillness")
	if err := walk(randomSequences(6, 9, 5), m); err != nil {
		t.Fatal(err)
	}
	s := scoresOf(t, m)
	ranking := s.Ranking()
	for i := 1; i < len(ranking); i++ {
		if s.Values[ranking[i-1]] < s.Values[ranking[i]] {
			t.Errorf("%v goes in the order %v", s.Values, ranking)
		}
	}
}

func TestRatioOfNothing(t *testing.T) {
	own(t, Definition{Name: "nothing", About: "over zero", New: Ratio(Tokens, func(*engine.Measurement) float64 { return 0 })})
	own(t, Definition{Name: "infinity", About: "beyond numbers", New: Ratio(func(*engine.Measurement) float64 { return math.Inf(1) }, Tokens)})
	for name, want := range map[string]string{"nothing": "avss: nothing: layer 0: the denominator is 0",
		"infinity": "avss: infinity: layer 0: the sums are +Inf"} {
		m := newMetric(t, name)
		if err := walk(randomSequences(6, 3, 2), m); err != nil {
			t.Fatal(err)
		}
		if _, err := m.Scores(); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}

func TestDefinitionsThatCannotBe(t *testing.T) {
	ratio := Ratio(Tokens, Tokens)
	for want, d := range map[string]Definition{
		"is registered twice": {Name: "bi", About: "again", New: ratio},
		"is no name":          {Name: "Bi-2", About: "capital", New: ratio},
		"want one line":       {Name: "mute", New: ratio},
		"0 of New, Search":    {Name: "idle", About: "does nothing"},
		"2 of New, Search":    {Name: "both", About: "does both", New: ratio, Search: eachRemoval},
	} {
		func() {
			defer func() {
				if why, _ := recover().(string); !strings.Contains(why, want) {
					t.Errorf("%s: %q, want %q", d.Name, why, want)
				}
			}()
			Register(d)
		}()
	}
	reserve := Definition{Name: "sites", About: "a key of the layers' rows", New: ratio}
	if reserve.wrong() == "" {
		t.Error("a metric may be called sites")
	}
}

func TestZeroOptionsAreTheDefault(t *testing.T) {
	a := newMetric(t, "avss").(*AVSS)
	zero := NewAVSS(Options{})
	sequences := randomSequences(3, 4, 3)
	if err := walk(sequences, a, zero); err != nil {
		t.Fatal(err)
	}
	s := scoresOf(t, zero)
	if s.Mode != string(Robust) || s.Site != string(SiteDelta) || s.Key() != "avss" || zero.Key() != "avss" {
		t.Errorf("mode %s, site %s, key %s", s.Mode, s.Site, s.Key())
	}
	all, err := a.Further()
	if err != nil {
		t.Fatal(err)
	}
	var keys []string
	for _, s := range all {
		keys = append(keys, s.Key())
	}
	want := []string{"avss-paper-block", "avss-paper-delta", "avss-paper-attn", "avss-paper-mlp", "avss-paper-act", "avss-reference-block"}
	if diff := cmp.Diff(want, keys); diff != "" {
		t.Error(diff)
	}
	for _, key := range registry["avss"].Formulas {
		if !slices.Contains(keys, key) {
			t.Errorf("formula %s is not measured", key)
		}
	}
}
