package engine

import (
	"bufio"
	"encoding/binary"
	"io"
	"math"
	"slices"

	"avssnative/failure"
)

// How the sums of a step lie in a file.
//
// Of a run, numbers little-endian: for the rows to fit on and then for those kept apart, of how many products the sums are (one byte: none,
// one, more), and unless of none the rows (8 bytes), Σ x xᵀ, Σ c x where a layer has a bias, and of each layer Σ e xᵀ, Σ|e|², and where it
// has a bias Σ c e and Σ c². Matrices are float64, but float32 where they are one product, which loses nothing. Last the lengths and the
// counts.

// size is what some runs' sums take, in bytes.
func (s *step) size(runs []leaf) int64 {
	bytes := int64(0)
	for _, run := range runs {
		bytes += 2 + 16 + 8*int64(s.counts)
		for _, kept := range []bool{false, true} {
			wide := int64(8)
			switch s.products(run, kept) {
			case 0:
				continue
			case 1:
				wide = 4
			}
			bytes += 8 + wide*int64(s.in)*int64(s.in)
			for i, out := range s.outs {
				bytes += wide*int64(s.in)*int64(out) + 8
				if s.biases[i] {
					bytes += 8 * int64(out+1)
				}
			}
			if slices.Contains(s.biases, true) {
				bytes += 8 * int64(s.in)
			}
		}
	}
	return bytes
}

// write adds up some runs and writes each when it is done.
func (s *step) write(to io.Writer, runs []leaf) error {
	w := bufio.NewWriterSize(to, 1<<20)
	if len(runs) == 0 {
		return nil
	}
	own := s.sums()
	for _, run := range runs {
		if err := s.gather(run, own.cleared()); err != nil {
			return err
		}
		for _, kept := range []bool{false, true} {
			grams := own.fitted
			if kept {
				grams = own.held
			}
			writeGrams(w, grams, min(2, s.products(run, kept)))
		}
		writeNumbers(w, own.lengths[:])
		for _, n := range own.counts {
			writeWhole(w, n)
		}
	}
	return w.Flush()
}

func writeGrams(w *bufio.Writer, grams []*Gram, products int) {
	w.WriteByte(byte(products))
	if products == 0 {
		return
	}
	matrix := writeNumbers
	if products == 1 {
		matrix = writeNarrow
	}
	writeWhole(w, int64(grams[0].Rows))
	matrix(w, grams[0].XX)
	if biased(grams) {
		writeNumbers(w, grams[0].X)
	}
	for _, g := range grams {
		matrix(w, g.EX)
		writeNumbers(w, []float64{g.EE})
		if g.E != nil {
			writeNumbers(w, g.E)
			writeNumbers(w, []float64{g.Ones})
		}
	}
}

// biased says whether any of some layers has a bias.
func biased(grams []*Gram) bool {
	return slices.ContainsFunc(grams, func(g *Gram) bool { return g.E != nil })
}

// What fails to be written is told by Flush.

func writeWhole(w *bufio.Writer, n int64) {
	w.Write(binary.LittleEndian.AppendUint64(w.AvailableBuffer(), uint64(n)))
}

func writeNumbers(w *bufio.Writer, values []float64) {
	for _, v := range values {
		writeWhole(w, int64(math.Float64bits(v)))
	}
}

func writeNarrow(w *bufio.Writer, values []float64) {
	for _, v := range values {
		w.Write(binary.LittleEndian.AppendUint32(w.AvailableBuffer(), math.Float32bits(float32(v))))
	}
}

// sumReader reads what step.write wrote. After its first failure everything is zero.
type sumReader struct {
	from    *bufio.Reader
	scratch [1 << 14]byte
	err     error
}

func newSumReader(from io.Reader) *sumReader {
	return &sumReader{from: bufio.NewReaderSize(from, 1<<20)}
}

// bytes are the next n, at most as many as the scratch has.
func (r *sumReader) bytes(n int) []byte {
	data := r.scratch[:n]
	if r.err == nil {
		_, err := io.ReadFull(r.from, data)
		if err == io.EOF || err == io.ErrUnexpectedEOF {
			err = failure.Corrupt.Errorf("truncated inside its sums")
		}
		r.err = err
	}
	if r.err != nil {
		clear(data)
	}
	return data
}

func (r *sumReader) whole() int64 { return int64(binary.LittleEndian.Uint64(r.bytes(8))) }

func (r *sumReader) numbers(into []float64) {
	for part := range slices.Chunk(into, len(r.scratch)/8) {
		data := r.bytes(8 * len(part))
		for i := range part {
			part[i] = math.Float64frombits(binary.LittleEndian.Uint64(data[8*i:]))
		}
	}
}

func (r *sumReader) narrow(into []float64) {
	for part := range slices.Chunk(into, len(r.scratch)/4) {
		data := r.bytes(4 * len(part))
		for i := range part {
			part[i] = float64(math.Float32frombits(binary.LittleEndian.Uint32(data[4*i:])))
		}
	}
}

// add adds the sums of a run to a total, by way of a buffer.
func (r *sumReader) add(total *sums, buffer []*Gram) {
	for _, grams := range [][]*Gram{total.fitted, total.held} {
		clearGrams(buffer)
		r.grams(buffer)
		addGrams(grams, buffer)
	}
	var lengths [2]float64
	r.numbers(lengths[:])
	for i, v := range lengths {
		total.lengths[i] += v
	}
	for i := range total.counts {
		total.counts[i] += r.whole()
	}
}

func (r *sumReader) grams(grams []*Gram) {
	products := r.bytes(1)[0]
	if products > 2 || products > 0 && len(grams) == 0 {
		r.err = failure.Corrupt.Errorf("no sums where some are wanted")
	}
	if r.err != nil || products == 0 {
		return
	}
	matrix := r.numbers
	if products == 1 {
		matrix = r.narrow
	}
	rows := int(r.whole())
	matrix(grams[0].XX)
	if biased(grams) {
		r.numbers(grams[0].X)
	}
	for _, g := range grams {
		g.Rows = rows
		matrix(g.EX)
		var one [1]float64
		r.numbers(one[:])
		if g.EE = one[0]; g.E != nil {
			r.numbers(g.E)
			r.numbers(one[:])
			g.Ones = one[0]
		}
	}
}

// end wants nothing behind the sums.
func (r *sumReader) end() error {
	if r.err != nil {
		return r.err
	}
	switch _, err := r.from.ReadByte(); err {
	case io.EOF:
		return nil
	case nil:
		return failure.Corrupt.Errorf("bytes too many behind its sums")
	default:
		return err
	}
}
