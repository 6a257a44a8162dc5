package cuda

import (
	"fmt"
	"unsafe"

	"avssnative/engine/device"
)

// tensor is a matrix of float32 in device memory, or a view of one: rows lie stride values apart.
type tensor struct {
	on         *gpu
	in         *buffer // nil where there is nothing
	first      int     // index of the first value in the buffer
	rows, cols int
	stride     int
	whole      bool
}

// buffer is the memory of a tensor and its views, with the bfloat16 copies that products read and the sums that a product has taken of what it
// wrote. Both are good until the buffer is written.
type buffer struct {
	block  *block
	copies []*narrowed
	sums   *summedView
}

// narrowed is a bfloat16 copy of a view: rows of heads runs, each padded with zeros to a multiple of 8 columns.
type narrowed struct {
	first, rows, cols, stride, heads int
	block                            *block
	pitch, run                       int // columns from row to row, and of a head
}

func (c *narrowed) view() view[bfloat16] { return viewOf[bfloat16](c.block.at, c.pitch) }

// NewTensor makes a zeroed tensor.
func (d *gpu) NewTensor(rows, cols int) device.Tensor {
	t := &tensor{on: d, rows: rows, cols: cols, stride: (cols + 3) &^ 3, whole: true}
	d.do("new tensor", func() error {
		if rows < 0 || cols < 0 {
			return fmt.Errorf("shape [%d %d]", rows, cols)
		}
		words := int64(rows) * int64(t.stride)
		if words == 0 {
			return nil
		}
		b, err := d.memory.take(4 * words)
		if err != nil {
			return fmt.Errorf("tensor [%d %d]: %w", rows, cols, err)
		}
		t.in = &buffer{block: b}
		return d.drv.zero(b.at, words, d.computing)
	})
	return t
}

func (t *tensor) Rows() int { return t.rows }
func (t *tensor) Cols() int { return t.cols }

// Slice is the view of n rows from row on.
func (t *tensor) Slice(row, n int) device.Tensor {
	if row < 0 || n < 0 || row+n > t.rows {
		panic(fmt.Sprintf("cuda: rows %d to %d of %d", row, row+n, t.rows))
	}
	return &tensor{on: t.on, in: t.in, first: t.first + row*t.stride, rows: n, cols: t.cols, stride: t.stride}
}

// Columns is the view of n columns from column col on.
func (t *tensor) Columns(col, n int) device.Tensor {
	if col < 0 || n < 0 || col+n > t.cols {
		panic(fmt.Sprintf("cuda: columns %d to %d of %d", col, col+n, t.cols))
	}
	return &tensor{on: t.on, in: t.in, first: t.first + col, rows: t.rows, cols: n, stride: t.stride}
}

// Free gives the memory back; freeing a view does nothing.
func (t *tensor) Free() {
	if !t.whole || t.in == nil {
		return
	}
	d := t.on
	d.mu.Lock()
	defer d.mu.Unlock()
	d.settle()
	in := t.in
	t.in, t.rows = nil, 0
	if d.context == 0 {
		return
	}
	err := d.bound(func() error {
		if err := in.forget(d); err != nil {
			return err
		}
		return d.memory.give(in.block, d.computing)
	})
	if err != nil && d.err == nil {
		d.err = fmt.Errorf("cuda: cuda:%d: free: %w", d.index, err)
	}
}

// at is where the tensor's first value lies, 0 where there is none.
func (t *tensor) at() address[float32] {
	if t == nil || t.in == nil {
		return 0
	}
	return address[float32](t.in.block.at).plus(t.first)
}

func (t *tensor) view() view[float32] {
	if t == nil {
		return view[float32]{}
	}
	return view[float32]{t.at(), int64(t.stride)}
}

func (t *tensor) empty() bool { return t.rows == 0 || t.cols == 0 }

// wrote drops the copies and the sums of what has been overwritten.
func (t *tensor) wrote() error {
	if t.in == nil {
		return nil
	}
	return t.in.forget(t.on)
}

func (in *buffer) forget(d *gpu) error {
	for _, c := range in.copies {
		if err := d.memory.give(c.block, d.computing); err != nil {
			return err
		}
	}
	in.copies = nil
	if in.sums != nil {
		if err := d.memory.give(in.sums.block, d.computing); err != nil {
			return err
		}
		in.sums = nil
	}
	return nil
}

// arguments checks the arguments of an operation and keeps the first complaint. Shapes are given as rows and cols, −1 where any will do.
type arguments struct {
	d   *gpu
	err error
}

const any_ = -1

func (a *arguments) want(holds bool, format string, values ...any) {
	if !holds && a.err == nil {
		a.err = fmt.Errorf(format, values...)
	}
}

func (a *arguments) tensor(name string, t device.Tensor, rows, cols int) *tensor {
	none := &tensor{on: a.d}
	if t == nil {
		a.want(false, "%s is missing", name)
		return none
	}
	mine, ok := t.(*tensor)
	if !ok || mine.on != a.d {
		a.want(false, "%s is of another device", name)
		return none
	}
	a.want(!mine.whole || mine.in != nil || mine.rows == 0 || mine.cols == 0, "%s was freed", name)
	a.want((rows == any_ || mine.rows == rows) && (cols == any_ || mine.cols == cols),
		"%s is [%d %d], want [%s %s]", name, mine.rows, mine.cols, extent(rows), extent(cols))
	return mine
}

// optional is tensor where the tensor may be nil.
func (a *arguments) optional(name string, t device.Tensor, rows, cols int) *tensor {
	if t == nil {
		return nil
	}
	return a.tensor(name, t, rows, cols)
}

func (a *arguments) apart(dst *tensor, others ...*tensor) {
	if dst == nil {
		return
	}
	for _, t := range others {
		a.want(t == nil || t.in == nil || t.in != dst.in || !overlap(dst, t), "dst is an input too")
	}
}

// overlap says whether two views of one buffer can share a value: their spans do, and so do their columns where rows are equally far apart.
func overlap(a, b *tensor) bool {
	if a.empty() || b.empty() || a.first+(a.rows-1)*a.stride+a.cols <= b.first || b.first+(b.rows-1)*b.stride+b.cols <= a.first {
		return false
	}
	if a.stride != b.stride {
		return true
	}
	ca, cb := a.first%a.stride, b.first%b.stride
	return ca < cb+b.cols && cb < ca+a.cols
}

func extent(n int) string {
	if n == any_ {
		return "any"
	}
	return fmt.Sprint(n)
}

// Upload copies host rows, contiguous, into dst from row on.
func (d *gpu) Upload(dst device.Tensor, row int, src []float32) {
	d.do("upload", func() error {
		a := arguments{d: d}
		t := a.tensor("dst", dst, any_, any_)
		a.want(t.cols > 0 || len(src) == 0, "%d values for no columns", len(src))
		a.want(t.cols == 0 || len(src)%t.cols == 0 && row >= 0 && row+len(src)/t.cols <= t.rows,
			"%d values at row %d of [%d %d]", len(src), row, t.rows, t.cols)
		if a.err != nil || len(src) == 0 {
			return a.err
		}
		return d.upload(t, row, src)
	})
}

func (d *gpu) upload(t *tensor, row int, src []float32) error {
	if err := t.wrote(); err != nil {
		return err
	}
	to := t.at().plus(row * t.stride)
	if t.stride == t.cols || len(src) == t.cols {
		return d.staging.send(pointer(to), bytesOf(src))
	}
	rows := len(src) / t.cols
	return with(d, src, func(at address[float32]) error {
		return d.copyRows(viewOf[byte](pointer(to), t.stride), viewOf[byte](pointer(at), t.cols), rows, t.cols)
	})
}

// Download copies rows of src, from row on, into dst, contiguous, and waits for them.
func (d *gpu) Download(dst []float32, src device.Tensor, row int) {
	d.do("download", func() (err error) {
		a := arguments{d: d}
		t := a.tensor("src", src, any_, any_)
		a.want(t.cols > 0 || len(dst) == 0, "%d values of no columns", len(dst))
		a.want(t.cols == 0 || len(dst)%t.cols == 0 && row >= 0 && row+len(dst)/t.cols <= t.rows,
			"%d values from row %d of [%d %d]", len(dst), row, t.rows, t.cols)
		if a.err != nil || len(dst) == 0 {
			return a.err
		}
		from, rows := t.at().plus(row*t.stride), len(dst)/t.cols
		if t.stride == t.cols || rows == 1 {
			return download(d, dst, pointer(from))
		}
		b, err := d.memory.take(int64(len(dst)) * 4)
		if err != nil {
			return err
		}
		defer d.release(&err, b)
		if err := d.copyRows(viewOf[byte](b.at, t.cols), viewOf[byte](pointer(from), t.stride), rows, t.cols); err != nil {
			return err
		}
		return download(d, dst, b.at)
	})
}

// copyRows copies rows of float32 values between places that lie differently far apart.
func (d *gpu) copyRows(to, from view[byte], rows, cols int) error {
	return d.launch(cells(rows, cols), kernelConvert(to, 1, from, fromF32, rows, cols, cols))
}

// download copies values from device memory and waits.
func download[T any](d *gpu, dst []T, from pointer) error {
	if len(dst) == 0 {
		return nil
	}
	if err := fetch(d, dst, from); err != nil {
		return err
	}
	return d.drv.waitStream(d.computing)
}

// fetch queues a copy of values from device memory; dst must be held until somebody has waited.
func fetch[T any](d *gpu, dst []T, from pointer) error {
	if len(dst) == 0 {
		return nil
	}
	var one T
	return d.drv.toHost(unsafe.Pointer(unsafe.SliceData(dst)), from, int64(len(dst))*int64(unsafe.Sizeof(one)), d.computing)
}
