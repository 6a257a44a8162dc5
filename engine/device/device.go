package device

import (
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sort"
	"strings"
)

// A Device computes. Every operation takes tensors that the same device made, honours their row stride, and may run later than the
// call; the first failure sticks, later operations do nothing, and Sync reports it, so that a block reads like the paper it comes
// from. A Device serves one pass at a time.
//
// Rules that hold on every device, and that internal/devicetest checks:
//   - a row's result does not depend on which rows stand beside it, on strides, or on the number of threads: the order of every sum is
//     fixed by the row itself (and, in attention, by positions counted from the start of its sequence, prefix included);
//   - dst may be the same tensor as the first input of an operation that works row by row (Norm, Add, Activate); Scale, Clamp and Rope
//     work in place; any other overlap, also of views, is a failure. Views that do not overlap are as good as tensors of their own;
//   - zero rows are allowed and do nothing;
//   - ids, positions, row lists, layouts and targets may be used by the caller again once Sync has returned, not before; so may tensors
//     and matrices that were freed or released. An id or row that is out of range is a failure that names it;
//   - float32 values smaller than 2⁻¹²⁶ may count as zero.
//
// Device "reference" states what each operation means: plain Go, float64 throughout.
type Device interface {
	Info() Info
	Close() error
	// Sync waits for everything that was asked and returns the first failure, which it clears.
	Sync() error

	// NewTensor makes a zeroed tensor of [rows × cols] in the device's own precision (float32; float64 on "reference").
	NewTensor(rows, cols int) Tensor
	// Upload copies host rows, contiguous, into dst from row on. src is not used after the call.
	Upload(dst Tensor, row int, src []float32)
	// Download copies rows of src, from row on, into dst, contiguous, and waits for them.
	Download(dst []float32, src Tensor, row int)
	// Matrix makes a weight usable by Product, Embed and Head. The bytes must stay readable until Release.
	Matrix(w Weight) (Matrix, error)

	// Embed sets dst[i] = scale · table[ids[i]]: dst [tokens × hidden], table [vocab × hidden].
	Embed(dst Tensor, table Matrix, ids []int32, scale float32)
	// Product sets dst = x·Wᵀ + bias: x [rows × in], W [out × in], dst [rows × out]; bias [1 × out] or nil.
	Product(dst, x Tensor, w Matrix, bias Tensor)
	// Norm normalises every row of x, or every group of a row, as n says.
	Norm(dst, x Tensor, n Norm)
	// Add sets dst = a + scale·b; all three of one shape.
	Add(dst, a, b Tensor, scale float32)
	// Scale multiplies x by factor, and row i also by rows[i] where rows is not nil.
	Scale(x Tensor, factor float32, rows []float32)
	// Clamp limits every value of x to [−limit, limit].
	Clamp(x Tensor, limit float32)
	// Activate sets dst = f(gate) ⊙ up, or f(gate) where up is nil.
	Activate(dst, gate, up Tensor, a Activation)
	// Rope rotates every head of x [rows × heads·headDim] in place; row i stands at positions[i]. Angles are taken in float64.
	Rope(x Tensor, r Rope, positions []int32)
	// Attention mixes the rows of each sequence of l: q [rows × heads·headDim], k [rows × kvHeads·headDim],
	// v [rows × kvHeads·valueDim], dst [rows × heads·valueDim]. Where l.Keys is set k and v are a cache of any number of rows.
	Attention(dst, q, k, v Tensor, a Attention, l *Layout)
	// Gather sets dst[i] = src[rows[i]].
	Gather(dst, src Tensor, rows []int32)
	// Scatter adds weights[i]·src[i] to dst[rows[i]], i ascending; weights nil means one.
	Scatter(dst, src Tensor, rows []int32, weights []float32)
	// Columns copies runs of columns: dst[r][m.To+j] = src[r][m.From+j] for j < m.Count, for every row r and move m.
	Columns(dst, src Tensor, moves []Move)
	// Convolve is a causal depthwise convolution along each sequence (its prefix included): kernel [channels × width], bias
	// [1 × channels] or nil; dst[t][c] = bias[c] + Σ_w kernel[c][w]·x[t−width+1+w][c], rows before the start being zero.
	Convolve(dst, x, kernel, bias Tensor, l *Layout)
	// DeltaRule is the gated delta rule along each sequence (its prefix included).
	DeltaRule(dst Tensor, d DeltaRule, l *Layout)
	// Measure makes and fills m.Out, one entry a sequence of m.Layout, once Sync has returned.
	Measure(m *Measure)
	// Head makes and fills h.Rows and h.LogProbs, once Sync has returned; no [rows × vocab] tensor ever exists.
	Head(h *Head)
}

// Info says what a device is and what it computes with.
type Info struct {
	Name        string  // "cpu", "cuda:0", "reference"
	Description string  // what a person would call it: processor or card
	ISA         string  // "avx512bf16", "sm_90", "go"
	Threads     int     // threads it uses; 0 where that has no meaning
	Compute     Compute // precision of products' operands
	Memory      int64   // bytes the device has, 0 if unknown
	Notes       []string
}

// Compute is the precision of the operands of products; sums and the residual stream are float32 or wider everywhere.
type Compute string

const (
	ComputeAuto Compute = "auto"
	ComputeF32  Compute = "f32"
	ComputeBF16 Compute = "bf16"
	ComputeInt8 Compute = "int8" // activations rounded to 8 bits where they meet weights stored in blocks (int8.go); otherwise f32
	ComputeF64  Compute = "f64"  // device "reference" alone
)

// Tensor is a matrix in a device's memory, perhaps a view into another. Its rows lie a fixed stride apart.
type Tensor interface {
	Rows() int
	Cols() int
	// Slice is the view of n rows from row on.
	Slice(row, n int) Tensor
	// Columns is the view of n columns from column col on.
	Columns(col, n int) Tensor
	// Free returns the memory; freeing a view does nothing.
	Free()
}

// Matrix is a weight made ready by Device.Matrix: [Out × In].
type Matrix interface {
	Out() int
	In() int
	Release()
}

// Options say how a device shall be opened. The zero value is right.
type Options struct {
	// Threads compute on cpu; 0: as many as GOMAXPROCS, and no more than it was when the program began. While they do, Go's scheduler takes its
	// processors from them and gives them back unless it has some to spare: a program that computes for long gains some per cent by
	// runtime.GOMAXPROCS(runtime.GOMAXPROCS(0) + 2) at its beginning.
	Threads int
	Compute Compute // "" and auto: the device's own choice
	Memory  int64   // bytes it may hold; 0: its own choice
	// Busy is told what a device does for seconds before it computes, as compiling its kernels; what takes no time it does not hear of. It is
	// called from any goroutine; nil: nobody listens.
	Busy func(what string)
	// Notes are added to those of its Info, by the devices that "auto" chooses among: it says here which ones it has passed over.
	Notes []string
}

// processors is how many there were for Go when the program began: one that gives it more, for what is not computing, still has so many.
var processors = runtime.GOMAXPROCS(0)

// Workers is how many threads compute.
func (o Options) Workers() int {
	if o.Threads > 0 {
		return o.Threads
	}
	return min(runtime.GOMAXPROCS(0), processors)
}

// Unsupported is the error of a device that is there and cannot be used: it is too old, or its driver is. "auto" passes such a device over, and
// says so in the Notes of the one that it opens.
type Unsupported struct{ Reason string }

func (u Unsupported) Error() string { return u.Reason }

// ErrUnknown is what the error of a device of a kind that nobody registered wraps.
var ErrUnknown = errors.New("unknown")

// A Driver opens the devices of one kind. Packages register theirs in init.
type Driver interface {
	// List names what is there; an error says why nothing is.
	List() ([]Info, error)
	// Open opens a device: index is what stands behind the colon of its name, 0 without one.
	Open(index int, o Options) (Device, error)
	// Automatic is the driver's place when a device is chosen by itself: the highest that has a device wins, negative never does.
	Automatic() int
}

var drivers = map[string]Driver{}

// Register makes a kind of device known under the name in front of the colon.
func Register(kind string, d Driver) {
	if _, known := drivers[kind]; known {
		panic("device: two drivers for device " + kind)
	}
	drivers[kind] = d
}

// Kinds lists the registered kinds in alphabetical order.
func Kinds() []string {
	kinds := make([]string, 0, len(drivers))
	for kind := range drivers {
		kinds = append(kinds, kind)
	}
	sort.Strings(kinds)
	return kinds
}

// List lists what the drivers of one kind find.
func List(kind string) ([]Info, error) {
	d, known := drivers[kind]
	if !known {
		return nil, unknownDevice(kind)
	}
	return d.List()
}

// Open opens a device by name: "cpu", "cuda:0", "reference", or "auto", which alone chooses by itself.
func Open(name string, o Options) (Device, error) {
	if name == "" || name == "auto" {
		return openBest(o)
	}
	kind, number, numbered := strings.Cut(name, ":")
	d, known := drivers[kind]
	if !known {
		return nil, unknownDevice(name)
	}
	index := 0
	if numbered {
		if _, err := fmt.Sscanf(number, "%d", &index); err != nil || index < 0 || fmt.Sprint(index) != number {
			return nil, fmt.Errorf("device %q: %q is no device number", name, number)
		}
	}
	return d.Open(index, o)
}

// openBest opens the first device that can be used, drivers with the highest place first.
func openBest(o Options) (Device, error) {
	kinds := slices.DeleteFunc(Kinds(), func(kind string) bool { return drivers[kind].Automatic() < 0 })
	slices.SortStableFunc(kinds, func(a, b string) int { return drivers[b].Automatic() - drivers[a].Automatic() })
	o.Notes = slices.Clone(o.Notes)
	passed := func(err error) bool {
		var u Unsupported
		if !errors.As(err, &u) {
			return false
		}
		o.Notes = append(o.Notes, "not used: "+err.Error())
		return true
	}
	for _, kind := range kinds {
		found, err := drivers[kind].List()
		passed(err) // any other error says that there is none
		for index := range found {
			d, err := drivers[kind].Open(index, o)
			if err == nil || !passed(err) {
				return d, err
			}
		}
	}
	reasons := append(o.Notes, "known kinds: "+strings.Join(Kinds(), ", "))
	return nil, fmt.Errorf("device auto: no device in this program; %s", strings.Join(reasons, "; "))
}

func unknownDevice(name string) error {
	return fmt.Errorf("device %q: %w; known kinds: auto, %s", name, ErrUnknown, strings.Join(Kinds(), ", "))
}
