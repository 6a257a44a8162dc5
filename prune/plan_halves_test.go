package prune_test

import (
	"math"
	"slices"
	"strings"
	"testing"

	"avssnative/avss"
	"avssnative/engine"
	"avssnative/prune"
)

func mustRule(t *testing.T, text string) prune.Rule {
	t.Helper()
	r, err := prune.ParseRule(text)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// Four layers, attention of 10 bytes and MLPs of 30: a layer is 40.
var fourLayers = []int64{10, 30, 10, 30, 10, 30, 10, 30}

// The lowest halves go as long as they fit into what the rule's layers weigh; what is too large is passed over.
func TestChooseHalves(t *testing.T) {
	scores := avss.Scores{Metric: "bi", Values: avss.Values{8, 7, 1, 5, 2, 3, 4, 6}}
	for _, c := range []struct {
		rule    string
		protect prune.Protect
		bytes   []int64
		want    string
	}{
		{"25%", prune.Protect{}, fourLayers, "0.attn,1.attn,2.attn,3.attn"},                     // 40 bytes: 10, 10, no 30, 10, no 30, 10
		{"50%", prune.Protect{First: 1}, fourLayers, "1.attn,2,3.attn"},                         // 80: 10, 10, 30, 10, no 30
		{"1", prune.Protect{First: 2}, fourLayers, "2"},                                         // 40: 10, 30
		{"1", prune.Protect{First: 1}, []int64{10, 30, 0, 30, 10, 30, 10, 30}, "2.attn,3.attn"}, // 37.5 of 150; 1.attn is not there
		{"1.attn,3,2.mlp", prune.Protect{}, fourLayers, "1.attn,2.mlp,3"},
		{"2,", prune.Protect{}, fourLayers, "2"},
	} {
		plan, err := prune.ChooseHalves(scores, mustRule(t, c.rule), c.protect, c.bytes)
		if err != nil {
			t.Errorf("%s: %v", c.rule, err)
			continue
		}
		if got := plan.Drop().String(); got != c.want {
			t.Errorf("%s, %s protected: %s, want %s", c.rule, c.protect, got, c.want)
		}
	}
	greedy := avss.Scores{Metric: "greedy", Values: make(avss.Values, 8), Order: []int{2, 5, 3}}
	if plan, err := prune.ChooseHalves(greedy, mustRule(t, "2"), prune.Protect{}, fourLayers); err != nil || plan.Drop().String() != "1,2.mlp" {
		t.Errorf("greedy: %v, %v", plan, err)
	}
	distance := make([]avss.Values, 8)
	for i := range distance {
		distance[i] = make(avss.Values, 9)
		for j := range distance[i] {
			distance[i][j] = math.Abs(float64(i - 3))
		}
	}
	angular := avss.Scores{Metric: "angular", Values: make(avss.Values, 8), Distance: distance}
	if plan, err := prune.ChooseHalves(angular, mustRule(t, "1"), prune.Protect{}, fourLayers); err != nil || plan.Drop().String() != "1.mlp,2.attn" {
		t.Errorf("angular: %v, %v", plan, err)
	}
}

func TestChooseHalvesRefuses(t *testing.T) {
	scores := avss.Scores{Metric: "bi", Values: avss.Values{8, 7, 1, 5, 2, 3, 4, 6}}
	for _, c := range []struct {
		scores  avss.Scores
		rule    string
		protect prune.Protect
		want    string
	}{
		{scores, "4", prune.Protect{}, "at least one must stay"},
		{scores, "2", prune.Protect{First: 3}, "leaves only 1"},
		{scores, "4.attn", prune.Protect{}, "layer 4 does not exist"},
		{scores, "0.attn", prune.Protect{First: 1}, "is one of the first 1"},
		{scores, "0,1,2,3.attn,3.mlp", prune.Protect{}, "all 4 layers would go"},
		{avss.Scores{Metric: "bi", Values: make(avss.Values, 4)}, "1", prune.Protect{}, "scores of 4 units, want 8"},
		{avss.Scores{Metric: "bi", Values: avss.Values{0, 0, 0, 0, 0, math.NaN(), 0, 0}}, "1", prune.Protect{}, "2.mlp has no score"},
		{avss.Scores{Metric: "greedy", Values: make(avss.Values, 8), Order: []int{0, 2}}, "1", prune.Protect{First: 1}, "greedy dropped 0.attn"},
	} {
		if plan, err := prune.ChooseHalves(c.scores, mustRule(t, c.rule), c.protect, fourLayers); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, %v; want an error that says %q", c.rule, plan, err, c.want)
		}
	}
	for _, text := range []string{"7.head", "x.attn", ".attn"} {
		if _, err := prune.ParseRule(text); err == nil {
			t.Errorf("%q was taken", text)
		}
	}
}

// A model's halves weigh what they are counted with, and a plan of the demo leaves no larger model than the same share of layers.
func TestHalfBytes(t *testing.T) {
	m := open(t, architectures+"/nemotron-nas")
	bytes := prune.HalfBytes(m)
	if len(bytes) != 6 || bytes[2] != 0 || bytes[5] != 0 || slices.Contains([]int64{bytes[0], bytes[1], bytes[3], bytes[4]}, 0) {
		t.Errorf("halves of %v bytes; want none for 1.attn and 2.mlp alone", bytes)
	}
	llama := open(t, architectures+"/llama")
	plan, err := prune.ChooseHalves(avss.Scores{Metric: "bi", Values: avss.Values{6, 5, 1, 2, 3, 4}}, mustRule(t, "1"), prune.Protect{}, prune.HalfBytes(llama))
	if err != nil {
		t.Fatal(err)
	}
	_, halves := llama.Size(plan.Drop())
	_, layer := llama.Size(engine.Layers(1))
	if halves < layer {
		t.Errorf("without %s %d bytes are left, without a layer %d", plan.Drop(), halves, layer)
	}
}
