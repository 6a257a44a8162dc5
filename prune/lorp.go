package prune

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"avssnative/avss"
	"avssnative/engine"
	"avssnative/failure"

	"gonum.org/v1/gonum/mat"
)

// LoRP (Yun et al., arXiv 2605.27786): layers are grouped by how alike the streams that enter them are, and the layer that is most like the others
// of its group goes: one of each group first, then always one of the group whose remaining layers are most alike. How many groups there are follows
// from how fast likeness decays with depth. It costs one walk of the dense model and measures no removal, so it is a cheap proposer.
//
// Two things are other than in the authors' program, whose rule this is: k-means starts from drawn layers by a seed of its own, often enough that the
// best grouping is found, and layers that may not go are passed over like the first and the last one.

// lorpName is the metric's name.
const lorpName = "lorp"

// lorpTokens of the text are compared at most: the streams of all depths are in memory.
const lorpTokens = 4096

func init() {
	avss.Register(avss.Definition{
		Name:  lorpName,
		About: "LoRP: the layers most like the others of their group by the cosine of the streams; the score is the place in the order in which they go",
		Papers: []avss.Citation{{ArXiv: "2605.27786", Authors: "Yun et al.", Year: 2026,
			Title: "Locality-Aware Redundancy Pruning for LLM Depth Compression"}},
		Search: &avss.Search{Name: "groups of layers", Run: lorpScores, Streams: true, Walk: lorpTokens},
	})
}

// lorpScores is the metric.
func lorpScores(ctx context.Context, r avss.Runner, p engine.Pass, o avss.Options) ([]avss.Scores, error) {
	m, able := r.(Searchable)
	if !able || o.Halves {
		return nil, failure.Unsupported.Errorf("prune: lorp: it compares the streams in front of whole layers, in one process: " +
			"score layers, without shards")
	}
	text, tokens := []engine.Sequence{}, 0
	for _, s := range p.Sequences {
		if tokens += len(s.IDs); tokens > lorpTokens && len(text) > 0 {
			break
		}
		text = append(text, s)
	}
	streams, err := m.Streams(ctx, text, p.Progress)
	if err != nil {
		return nil, err
	}
	alike, err := streams.Cosines(ctx)
	if err != nil {
		return nil, err
	}
	l, err := groupLayers(alike)
	if err != nil {
		return nil, fmt.Errorf("prune: lorp: %w", err)
	}
	out := avss.Scores{Metric: lorpName, Tau: avss.Value(math.NaN()), Sequences: int64(len(text)), References: []string{"2605.27786"}}
	out.Values = make(avss.Values, len(alike))
	for i := range out.Values {
		out.Values[i] = math.Inf(1)
	}
	for place, layer := range l.order(o.Keep) {
		out.Values[layer] = float64(place)
	}
	out.Notes = []string{fmt.Sprintf("the score is the place in the order in which layers go; the first, the last and "+
		"those that are kept do not. Representation locality %.3f, so %d groups: %s", l.locality, len(l.groups), l.words())}
	return []avss.Scores{out}, nil
}

// lorp is layers in groups.
type lorp struct {
	alike    [][]float64 // mean cosines between the streams in front of the layers
	locality float64     // −log₂ of the mean of these between different layers
	groups   [][]int     // by their first layers, ascending
}

// groupLayers parts layers into groups by spectral clustering of how alike they are.
func groupLayers(alike [][]float64) (*lorp, error) {
	n := len(alike)
	if n < 3 {
		return nil, failure.Unsupported.Errorf("%d layers, of which the first and the last stay: want 3 or more", n)
	}
	sum := 0.0
	for i := range n {
		for j := range i {
			if math.IsNaN(alike[i][j]) {
				return nil, fmt.Errorf("the streams in front of layers %d and %d are no numbers", j, i)
			}
			sum += alike[i][j]
		}
	}
	l := &lorp{alike: alike, locality: math.Inf(1)}
	if mean := sum / float64(n*(n-1)/2); mean > 0 {
		l.locality = -math.Log2(mean)
	}
	groups := 4
	switch {
	case l.locality >= 1:
		groups = 2
	case l.locality >= 0.7:
		groups = 3
	}
	points, err := spectrum(alike, min(groups, n-1))
	if err != nil {
		return nil, err
	}
	of := kMeans(points, min(groups, n-1))
	for layer := range n {
		if slices.Contains(of[:layer], of[layer]) {
			continue
		}
		var group []int
		for other := layer; other < n; other++ {
			if of[other] == of[layer] {
				group = append(group, other)
			}
		}
		l.groups = append(l.groups, group)
	}
	return l, nil
}

// spectrum are the layers as points: the eigenvectors of the normalised Laplacian of the affinity (1 + cosine)/2 with the least eigenvalues, each
// layer's entries over the root of its degree (von Luxburg 2007, section 4).
func spectrum(alike [][]float64, dimensions int) ([][]float64, error) {
	n := len(alike)
	degrees := make([]float64, n)
	for i := range n {
		for j := range n {
			if i != j {
				degrees[i] += (alike[i][j] + 1) / 2
			}
		}
		if degrees[i] <= 0 {
			return nil, fmt.Errorf("the stream in front of layer %d is the opposite of all others", i)
		}
	}
	laplacian := mat.NewSymDense(n, nil)
	for i := range n {
		laplacian.SetSym(i, i, 1)
		for j := range i {
			laplacian.SetSym(i, j, -(alike[i][j]+1)/2/math.Sqrt(degrees[i]*degrees[j]))
		}
	}
	var e mat.EigenSym
	if !e.Factorize(laplacian, true) {
		return nil, errors.New("the eigenvalues of how alike the layers are do not come out")
	}
	var vectors mat.Dense
	e.VectorsTo(&vectors)
	points := make([][]float64, n)
	for i := range points {
		points[i] = make([]float64, dimensions)
		for d := range dimensions { // eigenvalues ascend
			points[i][d] = vectors.At(i, d) / math.Sqrt(degrees[i])
		}
	}
	return points, nil
}

// kMeansStarts are enough that some dozens of points come to their best grouping.
const kMeansStarts = 256

// kMeans parts points into groups that lie together (Lloyd 1982), the best of many starts.
func kMeans(points [][]float64, groups int) (best []int) {
	random := rand.New(rand.NewPCG(1, uint64(len(points))))
	least := math.Inf(1)
	for range kMeansStarts {
		var centres [][]float64
		for _, i := range random.Perm(len(points))[:groups] {
			centres = append(centres, slices.Clone(points[i]))
		}
		if of, spread := settle(points, centres); spread < least {
			best, least = of, spread
		}
	}
	return best
}

// settle moves centres to the middle of the points that are nearest to them until none moves.
func settle(points, centres [][]float64) (of []int, spread float64) {
	of = make([]int, len(points))
	for moved := true; moved; {
		moved, spread = false, 0
		for i, p := range points {
			nearest, least := 0, math.Inf(1)
			for c, centre := range centres {
				distance := 0.0
				for d := range p {
					distance += (p[d] - centre[d]) * (p[d] - centre[d])
				}
				if distance < least {
					nearest, least = c, distance
				}
			}
			moved = moved || of[i] != nearest
			of[i] = nearest
			spread += least
		}
		for c := range centres {
			count := 0.0
			sum := make([]float64, len(centres[c]))
			for i, p := range points {
				if of[i] == c {
					count++
					for d := range p {
						sum[d] += p[d]
					}
				}
			}
			for d := range sum {
				if count > 0 { // a centre that nobody is near stays
					centres[c][d] = sum[d] / count
				}
			}
		}
	}
	return of, spread
}

// order is the order in which layers go.
func (l *lorp) order(keep []int) (order []int) {
	n := len(l.alike)
	waiting := make([][]int, len(l.groups)) // of each group, the one that goes next first
	for g, group := range l.groups {
		for _, layer := range group {
			if layer != 0 && layer != n-1 && !slices.Contains(keep, layer) {
				waiting[g] = append(waiting[g], layer)
			}
		}
		slices.SortStableFunc(waiting[g], func(a, b int) int {
			switch x, y := l.mean(a, group), l.mean(b, group); {
			case x > y:
				return -1
			case x < y:
				return 1
			}
			return 0
		})
	}
	take := func(g int) {
		order, waiting[g] = append(order, waiting[g][0]), waiting[g][1:]
	}
	for g := range waiting {
		if len(waiting[g]) > 0 {
			take(g)
		}
	}
	for {
		next, most := -1, math.Inf(-1)
		for g, group := range l.groups {
			if left := l.within(group, order); len(waiting[g]) > 0 && (next < 0 || left > most) {
				next, most = g, left
			}
		}
		if next < 0 {
			return order
		}
		take(next)
	}
}

// mean is how alike a layer is to the others of its group.
func (l *lorp) mean(layer int, group []int) float64 {
	sum := 0.0
	for _, other := range group {
		if other != layer {
			sum += l.alike[layer][other]
		}
	}
	if len(group) < 2 {
		return math.Inf(-1)
	}
	return sum / float64(len(group)-1)
}

// within is how alike the layers of a group that stay are to each other; nothing of fewer than two.
func (l *lorp) within(group, gone []int) float64 {
	sum, pairs := 0.0, 0.0
	for i, a := range group {
		for _, b := range group[:i] {
			if !slices.Contains(gone, a) && !slices.Contains(gone, b) {
				sum += l.alike[a][b]
				pairs++
			}
		}
	}
	if pairs == 0 {
		return math.Inf(-1)
	}
	return sum / pairs
}

// words are the groups as a person reads them.
func (l *lorp) words() string {
	var words string
	for i, group := range l.groups {
		if i > 0 {
			words += "; "
		}
		words += engine.Layers(group...).String()
	}
	return words
}
