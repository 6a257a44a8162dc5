package reference

import (
	"avssnative/engine/device"
)

// tensor is a window of rows × cols on a buffer, whose rows lie stride apart.
type tensor struct {
	device     *plain
	buffer     *buffer
	row, col   int // where the window begins
	rows, cols int
	view       bool
}

type buffer struct {
	values []float64
	stride int
	freed  bool
}

func (d *plain) NewTensor(rows, cols int) device.Tensor {
	if rows < 0 || cols < 0 || cols > 0 && rows > (1<<46)/cols {
		d.check("new tensor").fail("shape [%d %d]: no tensor", rows, cols)
		rows, cols = 0, 0
	}
	return &tensor{
		device: d,
		buffer: &buffer{values: make([]float64, rows*cols), stride: cols},
		rows:   rows,
		cols:   cols,
	}
}

func (t *tensor) Rows() int { return t.rows }
func (t *tensor) Cols() int { return t.cols }

func (t *tensor) Slice(row, n int) device.Tensor {
	view := *t
	view.view = true
	if row < 0 || n < 0 || row > t.rows-n {
		t.device.check("slice").fail("%d rows from row %d on of shape [%d %d]", n, row, t.rows, t.cols)
		row, n = 0, 0
	}
	view.row, view.rows = t.row+row, n
	return &view
}

func (t *tensor) Columns(col, n int) device.Tensor {
	view := *t
	view.view = true
	if col < 0 || n < 0 || col > t.cols-n {
		t.device.check("columns").fail("%d columns from column %d on of shape [%d %d]", n, col, t.rows, t.cols)
		col, n = 0, 0
	}
	view.col, view.cols = t.col+col, n
	return &view
}

func (t *tensor) Free() {
	if !t.view {
		t.buffer.values, t.buffer.freed = nil, true
	}
}

// line is row i.
func (t *tensor) line(i int) []float64 {
	at := (t.row+i)*t.buffer.stride + t.col
	return t.buffer.values[at : at+t.cols : at+t.cols]
}

// same says whether two tensors are the same window.
func (t *tensor) same(o *tensor) bool {
	return t.buffer == o.buffer && t.row == o.row && t.col == o.col && t.rows == o.rows && t.cols == o.cols
}

// overlaps says whether two tensors share a value.
func (t *tensor) overlaps(o *tensor) bool {
	return t.buffer == o.buffer &&
		max(t.row, o.row) < min(t.row+t.rows, o.row+o.rows) &&
		max(t.col, o.col) < min(t.col+t.cols, o.col+o.cols)
}

func (d *plain) Upload(dst device.Tensor, row int, src []float32) {
	c := d.check("upload")
	to := c.tensor("dst", dst, anyExtent, anyExtent)
	rows := c.hostRows(to, row, len(src))
	if c.failed() {
		return
	}
	for i := range rows {
		for j := range to.line(row + i) {
			to.line(row + i)[j] = float64(src[i*to.cols+j])
		}
	}
}

func (d *plain) Download(dst []float32, src device.Tensor, row int) {
	c := d.check("download")
	from := c.tensor("src", src, anyExtent, anyExtent)
	rows := c.hostRows(from, row, len(dst))
	if c.failed() {
		return
	}
	for i := range rows {
		for j, v := range from.line(row + i) {
			dst[i*from.cols+j] = float32(v)
		}
	}
}

// hostRows is how many of a tensor's rows, from row on, as many host values stand for.
func (c check) hostRows(t *tensor, row, values int) int {
	if c.failed() || values == 0 {
		c.want(row >= 0 && row <= t.rows, "row %d of %d", row, t.rows)
		return 0
	}
	if t.cols == 0 || values%t.cols != 0 {
		c.fail("%d values, want a multiple of %d", values, t.cols)
		return 0
	}
	rows := values / t.cols
	c.want(row >= 0 && row <= t.rows-rows, "%d rows from row %d on of shape [%d %d]", rows, row, t.rows, t.cols)
	return rows
}
