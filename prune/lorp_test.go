package prune

import (
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"avssnative/avss"
	"avssnative/engine"
	"avssnative/failure"
)

// alikeIn are cosines of layers that lie in groups: within a group, between groups, and a little that tells every pair from every other.
func alikeIn(groups [][]int, within []float64, between float64, seed uint64) [][]float64 {
	of := map[int]int{}
	for g, group := range groups {
		for _, layer := range group {
			of[layer] = g
		}
	}
	random := rand.New(rand.NewPCG(seed, 9))
	alike := make([][]float64, len(of))
	for i := range alike {
		alike[i] = make([]float64, len(of))
		alike[i][i] = 1
		for j := range i {
			c := between
			if of[i] == of[j] {
				c = within[of[i]]
			}
			alike[i][j] = c + 0.01*random.Float64()
			alike[j][i] = alike[i][j]
		}
	}
	return alike
}

// Planted groups are found, as many as the locality says, wherever they lie; in each the layers go by how alike they are to the others of it.
func TestLayersInGroups(t *testing.T) {
	for _, c := range []struct {
		groups  [][]int
		within  []float64
		between float64
	}{
		{[][]int{{0, 1, 2, 3, 4}, {5, 6, 7, 8, 9, 10}}, []float64{0.9, 0.8}, 0.1},                           // locality above 1
		{[][]int{{0, 1, 2, 9}, {3, 4, 5}, {6, 7, 8}}, []float64{0.95, 0.9, 0.85}, 0.42},                     // between 0.7 and 1
		{[][]int{{0, 1, 2}, {3, 4, 5}, {6, 7, 8, 9}, {10, 11, 12}}, []float64{0.99, 0.98, 0.97, 0.96}, 0.6}, // below 0.7
	} {
		for seed := range uint64(20) {
			alike := alikeIn(c.groups, c.within, c.between, seed)
			l, err := groupLayers(alike)
			if err != nil {
				t.Fatal(err)
			}
			if !slices.EqualFunc(l.groups, c.groups, slices.Equal) {
				t.Errorf("seed %d, locality %.2f: groups %v, want %v", seed, l.locality, l.groups, c.groups)
				continue
			}
			keep := []int{2}
			order := l.order(keep)
			if len(order) != len(alike)-3 || slices.Contains(order, 0) || slices.Contains(order, 2) || slices.Contains(order, len(alike)-1) {
				t.Errorf("order %v of %d layers, of which 0, 2 and the last stay", order, len(alike))
			}
			for g, group := range c.groups { // the first ones are one of each group, the most alike of it
				best, most := -1, math.Inf(-1)
				for _, layer := range group {
					mean := 0.0
					for _, other := range group {
						if other != layer {
							mean += alike[layer][other]
						}
					}
					if layer != 0 && layer != 2 && layer != len(alike)-1 && mean > most {
						best, most = layer, mean
					}
				}
				if order[g] != best {
					t.Errorf("seed %d: number %d to go is %d, want %d of %v", seed, g, order[g], best, group)
				}
			}
		}
	}
}

// Behind the first ones of each group the next is always of the group whose layers that stay are most alike.
func TestTheMostRedundantGroupGivesNext(t *testing.T) {
	alike := alikeIn([][]int{{0, 1, 2, 3, 4, 5}, {6, 7, 8, 9, 10, 11}}, []float64{0.7, 0.9}, 0.05, 1)
	l, err := groupLayers(alike)
	if err != nil {
		t.Fatal(err)
	}
	order := l.order(nil)
	for _, layer := range order[2:5] { // until one alone stays there
		if layer < 6 {
			t.Errorf("order %v: layer %d goes while the second group is more alike", order, layer)
		}
	}
	if gone := order[:2]; gone[0] > 5 || gone[1] < 6 {
		t.Errorf("order %v does not begin with one of each group", order)
	}
}

func TestGroupingRefuses(t *testing.T) {
	nan := alikeIn([][]int{{0, 1}, {2, 3}}, []float64{0.9, 0.9}, 0.1, 1)
	nan[2][1] = math.NaN()
	opposite := [][]float64{{1, -1, -1}, {-1, 1, 1}, {-1, 1, 1}}
	for want, alike := range map[string][][]float64{"no numbers": nan, "opposite": opposite, "want 3": {{1, 0.5}, {0.5, 1}}} {
		if _, err := groupLayers(alike); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
	_, err := lorpScores(t.Context(), avss.Halves(&invented{layers: 4}), engine.Pass{}, avss.Options{})
	if !errors.Is(err, failure.Unsupported) {
		t.Errorf("of what has no streams: %v", err)
	}
}

// On the demo the cosines are those that a trace of the streams gives, and the scores are places.
func TestLoRPOnTheDemo(t *testing.T) {
	m, text := DemoAndText(t, 200, 40)
	streams, err := m.Streams(t.Context(), text.Sequences, nil)
	if err != nil {
		t.Fatal(err)
	}
	alike, err := streams.Cosines(t.Context())
	if err != nil || len(alike) != m.Layers() {
		t.Fatalf("%d layers, %v", len(alike), err)
	}
	bi, err := avss.New("bi", avss.Options{Resamples: -1})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := m.Run(t.Context(), engine.Pass{Sequences: text.Sequences, Observe: []engine.Observer{bi}}); err != nil {
		t.Fatal(err)
	}
	influence, err := bi.Scores()
	if err != nil {
		t.Fatal(err)
	}
	for l := range m.Layers() - 1 { // what leaves a layer enters the next
		if want := 1 - influence.Values[l]; math.Abs(alike[l][l+1]-want) > 1e-5 || alike[l][l+1] != alike[l+1][l] {
			t.Errorf("layers %d and %d: %v, 1 − bi is %v", l, l+1, alike[l][l+1], want)
		}
	}
	scores, err := lorpScores(t.Context(), m, engine.Pass{Sequences: text.Sequences}, avss.Options{Keep: []int{7}})
	if err != nil {
		t.Fatal(err)
	}
	places := slices.Sorted(slices.Values(scores[0].Values))
	for place := range m.Layers() - 3 {
		if places[place] != float64(place) {
			t.Errorf("places %v", places)
			break
		}
	}
	for _, l := range []int{0, 7, m.Layers() - 1} {
		if !math.IsInf(scores[0].Values[l], 1) {
			t.Errorf("layer %d has place %v", l, scores[0].Values[l])
		}
	}
}
