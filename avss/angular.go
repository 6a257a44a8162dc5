package avss

// Angular distance (arXiv 2403.17887, section 3.2): how far the residual stream at a sequence's last token turns between the input of block l
// and the input of block e, arccos(cos(x^l, x^e))/π, mean over sequences, for every l < e. The block of n layers that turns it least is
// the one to drop. The distances over one block alone are the scores.
//
// The state keeps L·(L+1)/2 exact sums a bucket (about 70 bytes each in memory, 20 in a file). During a pass it also keeps the last token's
// residual of every sequence and layer so far, sequences × (L+1) × hidden × 4 bytes; a sequence's are given back after its last layer.

import (
	"fmt"
	"math"
	"slices"

	"avssnative/engine"
)

func init() {
	Register(Definition{
		builtin: true, Name: "angular",
		About:  "angle by which blocks turn the residual stream at the last token; names a contiguous block to drop",
		Papers: []Citation{deeperLayers},
		Unit:   "half turns",
		New:    func(_ Definition, o Options) Metric { return NewAngular(o) },
	})
}

// Angular measures the angles between the residual streams.
type Angular struct {
	base
	means means // row pairOf(start, end)
	open  map[int64][][]float32
}

// NewAngular makes an empty one.
func NewAngular(o Options) *Angular {
	return &Angular{base: base{name: "angular", options: o}, open: map[int64][][]float32{}}
}

// Wants asks for the residual stream at the last token.
func (a *Angular) Wants() engine.Wants { return engine.Wants{Last: true} }

// pairOf numbers the pairs start < end; all that end at one layer lie together.
func pairOf(start, end int) int { return end*(end-1)/2 + start }

// Observe adds one sequence in one layer; a sequence's layers must come in order.
func (a *Angular) Observe(m *engine.Measurement) error {
	if len(m.Input) == 0 || len(m.Output) != len(m.Input) {
		return a.errorf("layer %d: sequence %d: the residual stream at the last token has %d and %d values", m.Layer, m.Sequence, len(m.Input),
			len(m.Output))
	}
	sequence, err := a.observe(m)
	if err != nil {
		return err
	}
	residuals := a.open[sequence]
	if m.Layer == 0 {
		residuals = [][]float32{slices.Clone(m.Input)}
	}
	if len(residuals) != m.Layer+1 || len(residuals[0]) != len(m.Output) {
		return a.errorf("layer %d: sequence %d: the layers before it were not seen, or had another width", m.Layer, m.Sequence)
	}
	a.means.grow(pairOf(m.Layers, m.Layers+1))
	for start, before := range residuals {
		v := angle(before, m.Output)
		if math.IsNaN(v) {
			return a.errorf("layer %d: site block: sequence %d: the residual stream at the last token is not a number", m.Layer, m.Sequence)
		}
		a.means.add(pairOf(start, m.Layer+1), sequence, v, 1)
	}
	if m.Layer == m.Layers-1 {
		delete(a.open, sequence)
		return nil
	}
	a.open[sequence] = append(residuals, slices.Clone(m.Output))
	return nil
}

// angle is arccos(cos(a, b))/π, from 0 to 1; ½ where a vector is zero.
func angle(a, b []float32) float64 {
	var ab, aa, bb float64
	for i := range a {
		x, y := float64(a[i]), float64(b[i])
		ab += x * y
		aa += x * x
		bb += y * y
	}
	if aa == 0 || bb == 0 {
		return 0.5
	}
	return math.Acos(max(-1, min(1, ab/(math.Sqrt(aa)*math.Sqrt(bb))))) / math.Pi
}

// Merge adds another Angular.
func (a *Angular) Merge(other Metric) error {
	o, ok := other.(*Angular)
	if !ok {
		return a.errorf("a state of %s does not merge", other.Name())
	}
	if len(a.open) > 0 || len(o.open) > 0 {
		return a.errorf("a state from the middle of a pass does not merge")
	}
	joined, err := a.coverage.merged(&o.coverage)
	if err != nil {
		return a.errorf("%w", err)
	}
	a.coverage = joined
	a.faults.merge(o.faults)
	a.means.merge(&o.means)
	return nil
}

// Scores are the distances over each block alone, and all the others in Distance.
func (a *Angular) Scores() (Scores, error) {
	matrix, err := a.Matrix()
	if err != nil {
		return Scores{}, err
	}
	scores := Scores{Metric: a.name, Sequences: a.coverage.sequences(0), References: references(a.name), Distance: matrix}
	single := make([]int, a.layers())
	for l := range single {
		single[l] = pairOf(l, l+1)
		scores.Values = append(scores.Values, matrix[l][l+1])
	}
	values, occupied := a.means.resampled(single)
	scores.stability(a.options, occupied, values)
	return scores, nil
}

// Matrix is the distances [L × (L+1)]: entry [start][end] for dropping the blocks start to end−1, NaN where end ≤ start.
func (a *Angular) Matrix() ([]Values, error) {
	if err := a.ready(); err != nil {
		return nil, err
	}
	matrix := make([]Values, a.layers())
	for start := range matrix {
		matrix[start] = make(Values, a.layers()+1)
		for end := range matrix[start] {
			if end <= start {
				matrix[start][end] = math.NaN()
				continue
			}
			mean, err := a.means.rows[pairOf(start, end)].mean()
			if err != nil {
				return nil, a.errorf("layers %d to %d: %w", start, end-1, err)
			}
			matrix[start][end], _ = mean.Float64()
		}
	}
	return matrix, nil
}

// Block is a run of layers.
type Block struct {
	Start    int     `json:"start"`
	Layers   int     `json:"layers"`
	Distance float64 `json:"distance"`
}

// BestBlock is the run of n layers, among those from first to before end, with the least distance; the earliest of equals.
func BestBlock(matrix []Values, n, first, end int) (Block, error) {
	if n < 1 || first < 0 || end > len(matrix) || first+n > end {
		return Block{}, fmt.Errorf("avss: angular: no run of %d layers lies among the layers %d to %d", n, first, end-1)
	}
	best := Block{Layers: n, Distance: math.Inf(1)}
	for start := first; start+n <= end; start++ {
		if d := matrix[start][start+n]; d < best.Distance {
			best.Start, best.Distance = start, d
		}
	}
	if math.IsInf(best.Distance, 1) {
		return Block{}, fmt.Errorf("avss: angular: no distance of %d layers is known", n)
	}
	return best, nil
}

// BestBlocks is the best run of every length from 1 to L−1.
func BestBlocks(matrix []Values) ([]Block, error) {
	var out []Block
	for n := 1; n < len(matrix); n++ {
		b, err := BestBlock(matrix, n, 0, len(matrix))
		if err != nil {
			return nil, err
		}
		out = append(out, b)
	}
	return out, nil
}

// MarshalBinary saves the state, with the residual streams of the sequences in work.
func (a *Angular) MarshalBinary() ([]byte, error) {
	var w writer
	a.base.write(&w)
	a.means.write(&w)
	var sequences []int64
	for s := range a.open {
		sequences = append(sequences, s)
	}
	slices.Sort(sequences)
	w.uvarint(uint64(len(sequences)))
	for _, s := range sequences {
		w.count(s)
		w.uvarint(uint64(len(a.open[s])))
		w.uvarint(uint64(len(a.open[s][0])))
		for _, row := range a.open[s] {
			for _, v := range row {
				w.float32(v)
			}
		}
	}
	return Seal(a.name, w.data), nil
}

// UnmarshalBinary replaces the state; on an error it stays as it was.
func (a *Angular) UnmarshalBinary(data []byte) error {
	payload, err := Unseal(a.name, data)
	if err != nil {
		return err
	}
	fresh := *a
	r := &reader{data: payload}
	fresh.base.read(r)
	pairs := 0
	if n := fresh.layers(); n > 0 {
		pairs = pairOf(n, n+1)
	}
	fresh.means.read(r, pairs)
	fresh.open = map[int64][][]float32{}
	last := int64(-1)
	for range r.length("sequences in work", 7, math.MaxInt32) {
		sequence := r.count()
		rows := r.length("residual streams", 4, fresh.layers())
		width := r.length("columns", 4, math.MaxInt32)
		if r.err == nil && (sequence <= last || rows < 1 || width < 1 || width > len(r.data)/4/rows) {
			r.fail(fmt.Sprintf("sequence %d in work: %d residual streams of %d columns", sequence, rows, width))
		}
		if r.err != nil {
			break
		}
		last = sequence
		streams := make([][]float32, rows)
		for i := range streams {
			streams[i] = make([]float32, width)
			for j := range streams[i] {
				streams[i][j] = r.float32()
			}
		}
		fresh.open[sequence] = streams
	}
	if err := r.end(a.name); err != nil {
		return err
	}
	*a = fresh
	return nil
}
