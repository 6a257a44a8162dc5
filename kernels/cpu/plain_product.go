package cpu

import (
	"math"
	"unsafe"

	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/gonum"
)

// Products in plain Go: gonum's Sgemm on pieces of at most 64 rows × 32 outputs, which it computes as one dot product an output, so that a
// row's sums do not depend on how many rows there are.

const plainRows = 64

// pack copies rows to whole cache lines, rounded as asked.
func (a *ProductArguments) pack(_ unsafe.Pointer, from, to int64) {
	stride := lineStride(a.X.Cols)
	for row := from * plainPanel; row < min(to*plainPanel, a.X.Rows); row++ {
		line := unsafe.Slice((*float32)(unsafe.Add(a.Packed, 4*row*stride)), a.X.Cols)
		copy(line, a.X.row(row))
		switch a.Precision {
		case AsBF16:
			roundBF16(line)
		case AsInt8:
			roundInt8(line)
		}
	}
}

// panel decodes outputs n0… of w into scratch, a row each.
func (w *Weight) panel(scratch unsafe.Pointer, n0, n int64, round bool) []float32 {
	stride := lineStride(w.In)
	panel := unsafe.Slice((*float32)(scratch), Panel*stride)
	for i := range n {
		line := panel[i*stride : i*stride+w.In]
		w.output(line, n0+i)
		if round {
			roundBF16(line)
		}
	}
	return panel
}

// times sets c [rows × n] = packed rows · panelᵀ + bias.
func times(c []float32, stride, rows, n, inner int64, packed, panel, bias []float32) {
	if inner > 0 {
		line := int(lineStride(inner))
		gonum.Implementation{}.Sgemm(blas.NoTrans, blas.Trans, int(rows), int(n), int(inner), 1, packed, line, panel, line, 0, c, int(stride))
	} else {
		for i := range rows {
			clear(c[i*stride : i*stride+n])
		}
	}
	for i := range rows {
		for j, b := range bias {
			c[i*stride+int64(j)] += b
		}
	}
}

func (a *ProductArguments) multiply(scratch unsafe.Pointer, from, to int64) {
	panels := (a.W.Out + Panel - 1) / Panel
	stride, bias, cuts := lineStride(a.X.Cols), slice[float32](a.Bias, a.W.Out), (a.RowsJob+a.RowsCut-1)/a.RowsCut
	for job := from; job < to; job++ {
		block, n0 := job/cuts/panels*a.RowsJob, job/cuts%panels*Panel
		first := block + job%cuts*a.RowsCut
		n, end := min(Panel, a.W.Out-n0), min(first+a.RowsCut, block+a.RowsJob, a.X.Rows)
		if first >= end {
			continue
		}
		panel := a.W.panel(scratch, n0, n, a.Precision == AsBF16)
		for row := first; row < end; row += plainRows {
			rows := min(plainRows, end-row)
			packed := unsafe.Slice((*float32)(unsafe.Add(a.Packed, 4*row*stride)), rows*stride)
			c := unsafe.Slice((*float32)(unsafe.Add(a.Dst.Data, 4*(row*a.Dst.Stride+n0))), (rows-1)*a.Dst.Stride+n)
			var own []float32
			if bias != nil {
				own = bias[n0 : n0+n]
			}
			times(c, a.Dst.Stride, rows, n, a.X.Cols, packed, panel, own)
		}
	}
}

// multiplyFew is a product of few rows, an output at a time.
func (a *FewArguments) multiplyFew(_ unsafe.Pointer, from, to int64) {
	weight, bias := make([]float32, a.W.In), slice[float32](a.Bias, a.W.Out)
	for n := from; n < to; n++ {
		a.W.output(weight, n)
		if a.BF16 != 0 {
			for k, v := range weight {
				weight[k] = roundedBF16(v)
			}
		}
		for row := range a.X.Rows {
			sum := 0.0
			for k, v := range a.X.row(row) {
				if a.BF16 != 0 {
					v = roundedBF16(v)
				}
				sum += float64(v) * float64(weight[k])
			}
			if bias != nil {
				sum += float64(bias[n])
			}
			a.Dst.row(row)[n] = float32(sum)
		}
	}
}

// peak is what plain Go reaches without memory.
func (a *PeakArguments) peak(_ unsafe.Pointer, from, to int64) {
	const turns = 100000
	var s [4]float32
	for range (to - from) * turns {
		for i := range s {
			s[i] = s[i]*0.999 + 1e-9
		}
	}
	a.Sink, a.Flops = s[0]+s[1]+s[2]+s[3], turns*2*int64(len(s))
}

func (a *HeadArguments) head(scratch unsafe.Pointer, from, to int64) {
	chunks, stride := (a.W.Out+a.Chunk-1)/a.Chunk, lineStride(a.W.In)
	parts := slice[HeadPart](a.Parts, a.Variants*a.Rows*chunks)
	bias, packed := slice[float32](a.Bias, a.W.Out), slice[unsafe.Pointer](a.Packed, a.Variants)
	logits := unsafe.Slice((*float32)(unsafe.Add(scratch, 4*Panel*stride)), a.Variants*a.RowsJob*Panel)
	for job := from; job < to; job++ {
		first, chunk := job/chunks*a.RowsJob, job%chunks
		rows := min(a.RowsJob, a.Rows-first)
		for v := range a.Variants {
			for r := range rows {
				parts[(v*a.Rows+first+r)*chunks+chunk] = HeadPart{Max: math.Inf(-1), Top: float32(math.Inf(-1)), TopAt: -1}
			}
		}
		end := min((chunk+1)*a.Chunk, a.W.Out)
		for n0 := chunk * a.Chunk; n0 < end; n0 += Panel {
			n := min(Panel, end-n0)
			panel := a.W.panel(scratch, n0, n, a.Precision == AsBF16)
			var own []float32
			if bias != nil {
				own = bias[n0 : n0+n]
			}
			for v := range a.Variants {
				for r := int64(0); r < rows; r += plainRows {
					count := min(plainRows, rows-r)
					x := unsafe.Slice((*float32)(unsafe.Add(packed[v], 4*(first+r)*stride)), count*stride)
					times(logits[(v*a.RowsJob+r)*Panel:], Panel, count, n, a.W.In, x, panel, own)
				}
			}
			for r := range rows {
				a.fold(logits, parts, chunks, chunk, first, r, n0, n)
			}
		}
	}
}

// fold takes n logits of one row of all variants, from column n0 on, into their records.
func (a *HeadArguments) fold(logits []float32, parts []HeadPart, chunks, chunk, first, r, n0, n int64) {
	offsets, targets := slice[int32](a.Offsets, a.Rows+1), slice[int32](a.Targets, a.TargetCount)
	wanted := slice[float32](a.TargetLogits, a.Variants*a.TargetCount)
	base := logits[r*Panel : r*Panel+n]
	var shift0, factor0 float64
	for v := range a.Variants {
		l := logits[(v*a.RowsJob+r)*Panel:][:n]
		part := &parts[(v*a.Rows+first+r)*chunks+chunk]
		before := part.Max
		for i := range l {
			l[i] *= a.Scale
			if a.SoftCap > 0 {
				l[i] = a.SoftCap * float32(math.Tanh(float64(l[i]/a.SoftCap)))
			}
			if l[i] > part.Top || part.TopAt < 0 && l[i] == part.Top {
				part.Top, part.TopAt = l[i], int32(n0)+int32(i)
			}
			if float64(l[i]) > part.Max {
				part.Max = float64(l[i])
			}
		}
		shift, factor := finite(part.Max), 0.0
		if !math.IsInf(before, -1) {
			factor = math.Exp(before - shift)
		}
		part.Sum *= factor
		for _, x := range l {
			part.Sum += math.Exp(float64(x) - shift)
		}
		if v == 0 {
			shift0, factor0 = shift, factor
		} else if a.Diverge != 0 {
			part.Cross *= factor0
			for i, x := range base {
				if e := math.Exp(float64(x) - shift0); e != 0 {
					part.Cross += e * (float64(x) - float64(l[i]))
				}
			}
		}
		for t := offsets[first+r]; t < offsets[first+r+1]; t++ {
			if at := int64(targets[t]) - n0; at >= 0 && at < n {
				wanted[v*a.TargetCount+int64(t)] = l[at]
			}
		}
	}
}

// finite is x, and zero for −∞.
func finite(x float64) float64 {
	if math.IsInf(x, -1) {
		return 0
	}
	return x
}
