package reference

import (
	"avssnative/engine/device"
)

// Device "reference": what only moves values.

func (d *plain) Gather(dst, src device.Tensor, rows []int32) {
	c := d.check("gather")
	from := c.tensor("src", src, anyExtent, anyExtent)
	to := c.tensor("dst", dst, len(rows), from.cols)
	c.rows("src", rows, from.rows)
	c.apart(to, from)
	if c.failed() {
		return
	}
	for i, row := range rows {
		copy(to.line(i), from.line(int(row)))
	}
}

func (d *plain) Scatter(dst, src device.Tensor, rows []int32, weights []float32) {
	c := d.check("scatter")
	from := c.tensor("src", src, len(rows), anyExtent)
	to := c.tensor("dst", dst, anyExtent, from.cols)
	c.want(weights == nil || len(weights) == len(rows), "%d weights for %d rows", len(weights), len(rows))
	c.rows("dst", rows, to.rows)
	c.apart(to, from)
	if c.failed() {
		return
	}
	for i, row := range rows {
		weight := 1.0
		if weights != nil {
			weight = float64(weights[i])
		}
		for j, v := range from.line(i) {
			to.line(int(row))[j] += weight * v
		}
	}
}

// rows complains about an index that is no row.
func (c check) rows(name string, rows []int32, n int) {
	for i, row := range rows {
		if row < 0 || int(row) >= n {
			c.fail("row %d at index %d, %s has %d", row, i, name, n)
			return
		}
	}
}

func (d *plain) Columns(dst, src device.Tensor, moves []device.Move) {
	c := d.check("columns")
	from := c.tensor("src", src, anyExtent, anyExtent)
	to := c.tensor("dst", dst, from.rows, anyExtent)
	for _, m := range moves {
		c.want(m.Count >= 0 && m.From >= 0 && m.From <= from.cols-m.Count && m.To >= 0 && m.To <= to.cols-m.Count,
			"%d columns from %d of %d to %d of %d", m.Count, m.From, from.cols, m.To, to.cols)
	}
	c.apart(to, from)
	if c.failed() {
		return
	}
	for i := range from.rows {
		for _, m := range moves {
			copy(to.line(i)[m.To:m.To+m.Count], from.line(i)[m.From:m.From+m.Count])
		}
	}
}
