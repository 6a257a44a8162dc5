// Package cpu is the binding of the CPU kernels: C11, one file an operation, for AVX-512, AVX2, NEON and any processor, chosen at run time.
// It knows nothing of models; package engine makes a device of it.
//
// An operation is run as jobs from..to of its arguments (Kernels.Run); what a job is stands beside the arguments. What there is, is said in
// operations.def and kernels.h, from which the files *_gen.go are made.
package cpu

//go:generate go run ./gen

import (
	"fmt"
	"os"
	"strings"
	"unsafe"
)

// String is the instruction set's name as AVSSNATIVE_ISA takes it.
func (i ISA) String() string { return isaNames[i] }

// description is what Go knows of an operation.
type description struct {
	name  string
	size  uintptr // of its arguments
	plain func(arguments, scratch unsafe.Pointer, from, to int64)
}

// describe makes an operation's description from its twin in plain Go.
func describe[A any](name string, plain func(a *A, scratch unsafe.Pointer, from, to int64)) description {
	return description{name, unsafe.Sizeof(*new(A)), func(arguments, scratch unsafe.Pointer, from, to int64) {
		plain((*A)(arguments), scratch, from, to)
	}}
}

// String is the operation's name as operations.def has it.
func (o Operation) String() string { return table[o].name }

// Arguments are what one operation takes.
type Arguments interface{ pointer() unsafe.Pointer }

// Kernels runs operations on one instruction set. The choice is the process's: opening again with another one changes it for all, so a
// program opens once, and tests one after another.
type Kernels struct {
	backend
	ISA   ISA
	Notes []string // what a person should know about how these kernels were reached
}

// Available lists the instruction sets that this program and this processor have, the best last.
func Available() ([]ISA, error) {
	b, _, err := openBackend()
	if err != nil {
		return nil, err
	}
	return available(b), nil
}

func available(b backend) []ISA {
	var found []ISA
	for i := Scalar; i <= Go; i++ {
		if b.supported(int32(i)) == 1 {
			found = append(found, i)
		}
	}
	return found
}

// Open reaches the kernels and chooses the instruction set: the one that AVSSNATIVE_ISA names, else the best there is.
func Open() (*Kernels, error) {
	b, notes, err := openBackend()
	if err != nil {
		return nil, err
	}
	found := available(b)
	chosen := found[len(found)-1]
	if name := os.Getenv("AVSSNATIVE_ISA"); name != "" {
		chosen = -1
		var names []string
		for _, i := range found {
			names = append(names, i.String())
			if i.String() == name {
				chosen = i
			}
		}
		if chosen < 0 {
			return nil, fmt.Errorf("cpu: AVSSNATIVE_ISA=%s: not available; here are: %s", name, strings.Join(names, ", "))
		}
	}
	return open(b, chosen, notes)
}

// OpenISA is Open with a fixed instruction set.
func OpenISA(i ISA) (*Kernels, error) {
	b, notes, err := openBackend()
	if err != nil {
		return nil, err
	}
	return open(b, i, notes)
}

func open(b backend, i ISA, notes []string) (*Kernels, error) {
	if b.choose(int32(i)) != 0 {
		return nil, fmt.Errorf("cpu: instruction set %s: not available; here are: %v", i, available(b))
	}
	return &Kernels{b, i, notes}, nil
}

// check compares the library's idea of the interface with ours.
func check(b backend) error {
	if v := b.abi(); v != ABI {
		return fmt.Errorf("cpu: kernel library: interface version %d, want %d", v, ABI)
	}
	for i, d := range table {
		if got := b.size(int32(i)); got != int64(d.size) {
			return fmt.Errorf("cpu: kernel library: %s: arguments of %d bytes, want %d", d.name, got, d.size)
		}
	}
	for i, want := range results {
		if got := b.size(int32(operations) + int32(i)); got != int64(want) {
			return fmt.Errorf("cpu: kernel library: result %d: %d bytes, want %d", i, got, want)
		}
	}
	return nil
}

// Run does jobs from..to of an operation. scratch holds at least Scratch(operation, a) bytes, of which no other call makes use meanwhile.
func (k *Kernels) Run(operation Operation, a Arguments, from, to int64, scratch unsafe.Pointer) {
	k.run(int32(operation), a.pointer(), from, to, scratch)
}

// TeamWork does worker 0's part of the work that a team has been offered, takes back what nobody has begun, and says whether all have finished:
// if not, add Asleep to Left, and sleep unless that makes it Asleep.
func (k *Kernels) TeamWork(t *Team) (finished bool) { return k.teamWork(unsafe.Pointer(t)) == 0 }

// TeamHelp is another worker of the team. It returns Busy where the caller is to do what was Asked for, and then to say so in Slots and Left; Asleep
// where worker 0 is to be woken; Nobody where there was no work for a while.
func (k *Kernels) TeamHelp(t *Team, worker int) int64 {
	return k.teamHelp(unsafe.Pointer(t), int64(worker))
}

// ArgumentBytes is what Put takes of memory at the most.
var ArgumentBytes = func() int {
	most := uintptr(0)
	for _, d := range table {
		most = max(most, (d.size+63)/64*64)
	}
	return int(most)
}()

// Put copies an operation's arguments to memory of Allocate and returns the memory behind them, for the next. What they point to stays where it is.
func Put(operation Operation, a Arguments, to unsafe.Pointer) (next unsafe.Pointer) {
	size := table[operation].size
	copy(unsafe.Slice((*byte)(to), size), unsafe.Slice((*byte)(a.pointer()), size))
	return unsafe.Add(to, (size+63)/64*64)
}

// Scratch is how many bytes of scratch a call takes.
func (k *Kernels) Scratch(operation Operation, a Arguments) int64 {
	return k.scratchBytes(int32(operation), a.pointer())
}

// PanelRows is the number of rows that stand together in activations packed for a precision (AsF32, AsBF16, AsInt8).
func (k *Kernels) PanelRows(precision int32) int64 { return k.geometry(precision) }

// PackedBytes is what Pack needs for rows × cols activations.
func (k *Kernels) PackedBytes(rows, cols int64, precision int32) int64 {
	return k.packedBytes(rows, cols, precision)
}

// Allocate returns zeroed memory for n values outside Go's heap, on a cache line; nil where there is none left.
func (k *Kernels) Allocate(n int64) []float32 {
	if n < 0 || n > 1<<44 {
		return nil
	}
	p := k.allocate(n*4 + 64)
	if p == nil {
		return nil
	}
	return unsafe.Slice((*float32)(p), n+16)[:n]
}

// Release gives memory of Allocate back.
func (k *Kernels) Release(memory []float32) {
	k.release(unsafe.Pointer(unsafe.SliceData(memory)), int64(len(memory))*4+64)
}

func flag(b bool) int32 {
	if b {
		return 1
	}
	return 0
}
