package cuda

import (
	"sort"

	"avssnative/engine/device"
)

// What moves rows and columns about: the kernels gather, scatter, columns.

// Gather sets dst[i] = src[rows[i]].
func (d *gpu) Gather(dst, src device.Tensor, rows []int32) {
	d.do("gather", func() error {
		a := arguments{d: d}
		from := a.tensor("src", src, any_, any_)
		to := a.tensor("dst", dst, len(rows), from.cols)
		a.rows(rows, from.rows)
		a.apart(to, from)
		if a.err != nil || to.empty() {
			return a.err
		}
		if err := to.wrote(); err != nil {
			return err
		}
		return with(d, rows, func(index address[int32]) error {
			return d.launch(cells(to.rows, to.cols), kernelGather(to.view(), from.view(), index, to.rows, to.cols))
		})
	})
}

func (a *arguments) rows(rows []int32, n int) {
	for i, row := range rows {
		a.want(row >= 0 && int(row) < n, "row %d at place %d, of %d", row, i, n)
	}
}

// Scatter adds weights[i]·src[i] to dst[rows[i]], i ascending.
func (d *gpu) Scatter(dst, src device.Tensor, rows []int32, weights []float32) {
	d.do("scatter", func() error {
		a := arguments{d: d}
		from := a.tensor("src", src, len(rows), any_)
		to := a.tensor("dst", dst, any_, from.cols)
		a.want(weights == nil || len(weights) == len(rows), "%d weights for %d rows", len(weights), len(rows))
		a.rows(rows, to.rows)
		a.apart(to, from)
		if a.err != nil || from.empty() {
			return a.err
		}
		if err := to.wrote(); err != nil {
			return err
		}
		entries := make([]int32, len(rows))
		for i := range entries {
			entries[i] = int32(i)
		}
		sort.SliceStable(entries, func(i, j int) bool { return rows[entries[i]] < rows[entries[j]] })
		var targets, first []int32
		for i, e := range entries {
			if i == 0 || rows[e] != targets[len(targets)-1] {
				targets, first = append(targets, rows[e]), append(first, int32(i))
			}
		}
		first = append(first, int32(len(rows)))
		return with(d, targets, func(target address[int32]) error {
			return with(d, first, func(begin address[int32]) error {
				return with(d, entries, func(list address[int32]) error {
					return with(d, weights, func(by address[float32]) error {
						return d.launch(cells(len(targets), to.cols), kernelScatter(to.view(), from.view(), target, begin, list, by, len(targets), to.cols))
					})
				})
			})
		})
	})
}

// Columns copies runs of columns.
func (d *gpu) Columns(dst, src device.Tensor, moves []device.Move) {
	d.do("columns", func() error {
		a := arguments{d: d}
		from := a.tensor("src", src, any_, any_)
		to := a.tensor("dst", dst, from.rows, any_)
		first, end := to.cols, 0
		for _, m := range moves {
			a.want(m.Count >= 0 && m.From >= 0 && m.From+m.Count <= from.cols && m.To >= 0 && m.To+m.Count <= to.cols,
				"move of %d columns from %d of %d to %d of %d", m.Count, m.From, from.cols, m.To, to.cols)
			if m.Count > 0 {
				first, end = min(first, m.To), max(end, m.To+m.Count)
			}
		}
		a.apart(to, from)
		if a.err != nil || to.rows == 0 || first >= end {
			return a.err
		}
		source := make([]int32, end-first)
		for i := range source {
			source[i] = -1
		}
		for _, m := range moves {
			for j := range m.Count {
				source[m.To-first+j] = int32(m.From + j)
			}
		}
		if err := to.wrote(); err != nil {
			return err
		}
		return fixed(d, source, func(index address[int32]) error {
			span := view[float32]{to.at().plus(first), to.view().ld}
			return d.launch(cells(to.rows, len(source)), kernelColumns(span, from.view(), index, to.rows, len(source)))
		})
	})
}
