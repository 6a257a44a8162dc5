package avss

// Means over all tokens of something that every token has, a row of buckets each: what bi, relmag, l2, the angular distances and the
// losses without a layer are made of.

import (
	"fmt"
	"math/big"
)

// Buckets is how many parts of the sequences are summed apart: sequence i, counted over all shards, is in bucket i modulo Buckets. The even
// and the odd sequences are both unions of buckets.
const Buckets = 32

func bucketOf(sequence int64) int { return int(sequence % Buckets) }

// weights says how often each bucket counts.
type weights [Buckets]int

// means is one exact weighted mean a row.
type means struct{ rows []meanRow }

// meanRow has a cell a bucket, or none yet.
type meanRow []meanCell

type meanCell struct {
	sum    Sum
	weight int64
}

// grow makes at least so many rows.
func (m *means) grow(rows int) {
	if len(m.rows) < rows {
		m.rows = append(m.rows, make([]meanRow, rows-len(m.rows))...)
	}
}

// add adds a sum over weight tokens.
func (m *means) add(row int, sequence int64, sum float64, weight int64) {
	if m.rows[row] == nil {
		m.rows[row] = make(meanRow, Buckets)
	}
	cell := &m.rows[row][bucketOf(sequence)]
	cell.sum.Add(sum)
	cell.weight += weight
}

func (m *means) merge(o *means) {
	m.grow(len(o.rows))
	for i, row := range o.rows {
		if row == nil {
			continue
		}
		if m.rows[i] == nil {
			m.rows[i] = make(meanRow, Buckets)
		}
		for b := range row {
			m.rows[i][b].sum.Merge(&row[b].sum)
			m.rows[i][b].weight += row[b].weight
		}
	}
}

// total is the row's whole sum and weight.
func (row meanRow) total() (sum Sum, weight int64) {
	for b := range row {
		sum.Merge(&row[b].sum)
		weight += row[b].weight
	}
	return sum, weight
}

// mean is the row's mean, exactly; an error where there are no tokens or a term was not finite.
func (row meanRow) mean() (*big.Rat, error) {
	sum, weight := row.total()
	switch {
	case weight == 0:
		return nil, fmt.Errorf("no tokens")
	case !sum.Finite():
		return nil, fmt.Errorf("a sum is %v", sum.Float64())
	}
	return new(big.Rat).Quo(sum.Rat(), new(big.Rat).SetInt64(weight)), nil
}

// rounded is every bucket's sum and weight in float64, for the many means of a bootstrap.
func (row meanRow) rounded() (sums, tokens [Buckets]float64) {
	for b := range row {
		sums[b], tokens[b] = row[b].sum.Float64(), float64(row[b].weight)
	}
	return sums, tokens
}

// resampled returns a function that computes the means of some rows with other weights of the buckets, and which buckets hold anything.
func (m *means) resampled(rows []int) (values func(*weights) []float64, occupied []int) {
	sums := make([][Buckets]float64, len(rows))
	tokens := make([][Buckets]float64, len(rows))
	for i, row := range rows {
		sums[i], tokens[i] = m.rows[row].rounded()
	}
	for b := range Buckets {
		for i := range rows {
			if tokens[i][b] > 0 {
				occupied = append(occupied, b)
				break
			}
		}
	}
	return func(w *weights) []float64 {
		out := make([]float64, len(rows))
		for i := range rows {
			var sum, count float64
			for b, times := range w {
				if times > 0 {
					sum += float64(times) * sums[i][b]
					count += float64(times) * tokens[i][b]
				}
			}
			out[i] = sum / count
		}
		return out
	}, occupied
}

func (m *means) write(w *writer) {
	w.uvarint(uint64(len(m.rows)))
	for _, row := range m.rows {
		var mask uint32
		for b := range row {
			if row[b].weight > 0 {
				mask |= 1 << b
			}
		}
		w.uint32(mask)
		for b := range row {
			if mask>>b&1 == 1 {
				w.count(row[b].weight)
				row[b].sum.write(w)
			}
		}
	}
}

func (m *means) read(r *reader, rows int) {
	*m = means{}
	n := r.length("rows of means", 4, rows)
	if r.err == nil && n != rows {
		r.fail(fmt.Sprintf("%d rows of means, want %d", n, rows))
	}
	for i := 0; i < n && r.err == nil; i++ {
		mask := r.uint32()
		m.rows = append(m.rows, nil)
		if mask == 0 || r.err != nil {
			continue
		}
		m.rows[i] = make(meanRow, Buckets)
		for b := range Buckets {
			if mask>>b&1 == 0 {
				continue
			}
			cell := &m.rows[i][b]
			if cell.weight = r.count(); r.err == nil && cell.weight == 0 {
				r.fail("a bucket without tokens")
			}
			cell.sum.read(r)
		}
	}
}

// all lists the numbers 0 to n−1.
func all(n int) []int {
	out := make([]int, n)
	for i := range out {
		out[i] = i
	}
	return out
}
