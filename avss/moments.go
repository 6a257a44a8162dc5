package avss

// The sums behind AVSS and the report's table of layers: what engine.Moments says of one sequence, over all sequences, a layer and site. What
// scores need is kept a bucket; what only the report needs, in total.

import (
	"fmt"
	"math"
	"math/big"
	"slices"
	"strconv"

	"avssnative/engine/device"
)

// moments is the state of all layers and sites.
type moments struct {
	eps      []float32 // thresholds of below
	relative float32   // threshold of relativeBelow
	cells    [][device.Sites]siteCells
}

// siteCells is one site of one layer.
type siteCells struct {
	buckets            []momentCell // one a bucket, or none at all
	sum3, sum4, sumAbs Sum
	min, max           float64 // where numbers is set
	numbers            bool
	pooled             []pooled // ascending by sequence; mode reference only
}

// momentCell is one bucket.
type momentCell struct {
	n, relativeBelow                        int64 // relativeBelow −1: not counted
	below                                   [device.MaxEps]int64
	sum, sum2, relativeSum, relativeSquares Sum
}

// pooled is one sequence in mode reference.
type pooled struct {
	sequence int64
	variance float64
	n        int64
	below    [device.MaxEps]int64
}

// thresholds notes those of a pass, or says that they changed.
func (m *moments) thresholds(eps []float32, relative float32) error {
	if m.eps == nil {
		if len(eps) > device.MaxEps {
			return fmt.Errorf("%d thresholds, at most %d are counted", len(eps), device.MaxEps)
		}
		m.eps, m.relative = append([]float32{}, eps...), relative
	}
	if !slices.Equal(m.eps, eps) || m.relative != relative {
		return fmt.Errorf("thresholds %v and %v, before %v and %v", eps, relative, m.eps, m.relative)
	}
	return nil
}

// threshold finds a threshold's place.
func (m *moments) threshold(eps float32) (int, error) {
	if i := slices.Index(m.eps, eps); i >= 0 {
		return i, nil
	}
	return 0, fmt.Errorf("values below %v were not counted, only below %v: add it to the pass", eps, m.eps)
}

func (m *moments) grow(layers int) {
	if len(m.cells) < layers {
		m.cells = append(m.cells, make([][device.Sites]siteCells, layers-len(m.cells))...)
	}
}

func (m *moments) add(layer int, site device.Site, sequence int64, s *device.Moments, reference bool) {
	if s.N == 0 {
		return
	}
	c := &m.cells[layer][site]
	c.sum3.Add(s.Sum3)
	c.sum4.Add(s.Sum4)
	c.sumAbs.Add(s.SumAbs)
	c.extend(s.Min, s.Max)
	if c.buckets == nil {
		c.buckets = make([]momentCell, Buckets)
	}
	b := &c.buckets[bucketOf(sequence)]
	b.n += s.N
	b.relativeBelow = counted(b.relativeBelow, s.RelativeBelow)
	for i := range m.eps {
		b.below[i] += s.Below[i]
	}
	b.sum.Add(s.Sum)
	b.sum2.Add(s.Sum2)
	b.relativeSum.Add(s.RelativeSum)
	b.relativeSquares.Add(s.RelativeSum2)
	if reference {
		row := pooled{sequence: sequence, variance: s.PooledVariance, n: s.N}
		copy(row.below[:len(m.eps)], s.Below[:])
		i, _ := slices.BinarySearchFunc(c.pooled, sequence, func(p pooled, s int64) int { return compare(p.sequence, s) })
		c.pooled = slices.Insert(c.pooled, i, row)
	}
}

func compare(a, b int64) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

// extend widens the range; what is no number does not count.
func (c *siteCells) extend(low, high float64) {
	if math.IsNaN(low) || math.IsNaN(high) {
		return
	}
	if !c.numbers {
		c.min, c.max, c.numbers = low, high, true
	}
	c.min, c.max = math.Min(c.min, low), math.Max(c.max, high)
}

func (m *moments) merge(o *moments) error {
	if o.eps == nil {
		return nil
	}
	if err := m.thresholds(o.eps, o.relative); err != nil {
		return err
	}
	m.grow(len(o.cells))
	for l := range o.cells {
		for site := range o.cells[l] {
			m.cells[l][site].merge(&o.cells[l][site])
		}
	}
	return nil
}

func (c *siteCells) merge(o *siteCells) {
	c.sum3.Merge(&o.sum3)
	c.sum4.Merge(&o.sum4)
	c.sumAbs.Merge(&o.sumAbs)
	if o.numbers {
		c.extend(o.min, o.max)
	}
	if o.buckets != nil && c.buckets == nil {
		c.buckets = make([]momentCell, Buckets)
	}
	for i := range o.buckets {
		c.buckets[i].merge(&o.buckets[i])
	}
	c.pooled = append(slices.Clip(c.pooled), o.pooled...)
	slices.SortFunc(c.pooled, func(a, b pooled) int { return compare(a.sequence, b.sequence) })
}

func (b *momentCell) merge(o *momentCell) {
	b.n += o.n
	b.relativeBelow = counted(b.relativeBelow, o.relativeBelow)
	for i := range b.below {
		b.below[i] += o.below[i]
	}
	b.sum.Merge(&o.sum)
	b.sum2.Merge(&o.sum2)
	b.relativeSum.Merge(&o.relativeSum)
	b.relativeSquares.Merge(&o.relativeSquares)
}

func (c *siteCells) n() (n int64) {
	for i := range c.buckets {
		n += c.buckets[i].n
	}
	return n
}

func (c *siteCells) relativeBelow() (n int64) {
	for i := range c.buckets {
		n = counted(n, c.buckets[i].relativeBelow)
	}
	return n
}

// counted adds counts of which −1 is one that was not made.
func counted(a, b int64) int64 {
	if a < 0 || b < 0 {
		return -1
	}
	return a + b
}

func (c *siteCells) below(at int) (n int64) {
	for i := range c.buckets {
		n += c.buckets[i].below[at]
	}
	return n
}

// variance is the population variance of the values, or of the relative ones, exactly, and how many there are. Rounding inside a sequence
// could make it less than zero; it is zero then.
func (c *siteCells) variance(relative bool) (*big.Rat, int64, error) {
	var sum, squares Sum
	for i := range c.buckets {
		if relative {
			sum.Merge(&c.buckets[i].relativeSum)
			squares.Merge(&c.buckets[i].relativeSquares)
		} else {
			sum.Merge(&c.buckets[i].sum)
			squares.Merge(&c.buckets[i].sum2)
		}
	}
	n := c.n()
	switch {
	case n == 0:
		return nil, 0, fmt.Errorf("no activations were measured")
	case !sum.Finite() || !squares.Finite():
		return nil, 0, fmt.Errorf("a sequence's sums are %v and %v", sum.Float64(), squares.Float64())
	}
	return varianceOf(sum.Rat(), squares.Rat(), n), n, nil
}

func varianceOf(sum, squares *big.Rat, n int64) *big.Rat {
	count := new(big.Rat).SetInt64(n)
	mean := new(big.Rat).Quo(sum, count)
	variance := new(big.Rat).Quo(squares, count)
	variance.Sub(variance, mean.Mul(mean, mean))
	if variance.Sign() < 0 {
		variance.SetInt64(0)
	}
	return variance
}

// parts are the buckets in float64: of the relative values (at < 0) or of the values with their count below threshold at.
func (c *siteCells) parts(at int) (out [Buckets]part) {
	for i := range c.buckets {
		b := &c.buckets[i]
		if b.n == 0 {
			continue
		}
		sum, squares, count := &b.relativeSum, &b.relativeSquares, b.relativeBelow
		if at >= 0 {
			sum, squares, count = &b.sum, &b.sum2, b.below[at]
		}
		n := float64(b.n)
		m2, _ := varianceOf(sum.Rat(), squares.Rat(), b.n).Float64()
		out[i] = part{n: n, mean: sum.Float64() / n, m2: m2 * n, count: float64(count)}
	}
	return out
}

// pooledParts are the buckets of mode reference: sequences, their variances and sparsities summed.
func (c *siteCells) pooledParts(at int) (out [Buckets]part) {
	for _, p := range c.pooled {
		b := &out[bucketOf(p.sequence)]
		b.n++
		b.m2 += p.variance
		b.count += float64(p.below[at]) / float64(p.n)
	}
	return out
}

// batchMeans are the means over batches of the mean over a batch's sequences of the pooled variance and of the share below threshold at.
func (c *siteCells) batchMeans(batch, at int) (variance, sparsity *big.Rat, err error) {
	variance, sparsity = new(big.Rat), new(big.Rat)
	if len(c.pooled) == 0 {
		return nil, nil, fmt.Errorf("no pooled variances were measured")
	}
	batches := int64(0)
	for i := 0; i < len(c.pooled); batches++ {
		var sum Sum
		share := new(big.Rat)
		first := i
		for ; i < len(c.pooled) && c.pooled[i].sequence/int64(batch) == c.pooled[first].sequence/int64(batch); i++ {
			sum.Add(c.pooled[i].variance)
			share.Add(share, big.NewRat(c.pooled[i].below[at], c.pooled[i].n))
		}
		if !sum.Finite() {
			return nil, nil, fmt.Errorf("a pooled variance is %v", sum.Float64())
		}
		count := new(big.Rat).SetInt64(int64(i - first))
		variance.Add(variance, new(big.Rat).Quo(sum.Rat(), count))
		sparsity.Add(sparsity, share.Quo(share, count))
	}
	count := new(big.Rat).SetInt64(batches)
	return variance.Quo(variance, count), sparsity.Quo(sparsity, count), nil
}

// widen turns a float32 threshold into the float64 that prints the same.
func widen(v float32) Value {
	f, err := strconv.ParseFloat(strconv.FormatFloat(float64(v), 'g', -1, 32), 64)
	if err != nil {
		return Value(v)
	}
	return Value(f)
}
