package avss

// How the state of a metric lies in a file: little-endian, numbers as varints, sums by their digits, every count checked against the bytes
// that are left, so that a damaged file is refused without taking more memory than its length justifies. Around it an envelope:
//
//	"AVSSSTAT" · version · name of the metric · length of the payload · payload · CRC-64 (ECMA) of all before
//
// The payload of equal states is equal byte for byte.

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc64"
	"math"

	"avssnative/failure"
)

const (
	stateMagic   = "AVSSSTAT"
	stateVersion = 1
)

var stateTable = crc64.MakeTable(crc64.ECMA)

// errState is wrapped by every refusal of a saved state.
var errState = failure.Corrupt.Of(errors.New("saved state"))

// Seal wraps what a metric of its own kind saves (MarshalBinary) in the envelope, by which Load knows whose it is.
func Seal(name string, payload []byte) []byte {
	w := &writer{data: append(make([]byte, 0, len(payload)+48), stateMagic...)}
	w.uvarint(stateVersion)
	w.text(name)
	w.uvarint(uint64(len(payload)))
	w.data = append(w.data, payload...)
	return binary.LittleEndian.AppendUint64(w.data, crc64.Checksum(w.data, stateTable))
}

// Unseal checks the envelope of a saved state of the named metric and returns its payload; an error is failure.Corrupt.
func Unseal(name string, data []byte) ([]byte, error) {
	refuse := func(format string, args ...any) ([]byte, error) {
		return nil, fmt.Errorf("avss: %s: %w: %s", name, errState, fmt.Sprintf(format, args...))
	}
	if len(data) < len(stateMagic) || string(data[:len(stateMagic)]) != stateMagic {
		return refuse("it does not begin with %q", stateMagic)
	}
	r := &reader{data: data[len(stateMagic):]}
	if version := r.uvarint(); r.err == nil && version != stateVersion {
		return refuse("version %d, this program reads %d", version, stateVersion)
	}
	found := r.text()
	length := r.uvarint()
	if r.err != nil {
		return refuse("%v", r.err)
	}
	if found != name {
		return refuse("it is of the metric %q", found)
	}
	if have := uint64(len(r.data)); have < 8 || have-8 < length {
		return refuse("truncated: %d bytes follow the head, want %d", len(r.data), length+8)
	} else if have-8 > length {
		return refuse("%d bytes too many at its end", have-8-length)
	}
	body := len(data) - 8
	if sum := crc64.Checksum(data[:body], stateTable); sum != binary.LittleEndian.Uint64(data[body:]) {
		return refuse("damaged: its checksum is %016x, want %016x", sum, binary.LittleEndian.Uint64(data[body:]))
	}
	return r.data[:length], nil
}

// stateName says of which metric a saved state is.
func stateName(data []byte) (string, error) {
	if len(data) < len(stateMagic) || string(data[:len(stateMagic)]) != stateMagic {
		return "", fmt.Errorf("avss: %w: it does not begin with %q", errState, stateMagic)
	}
	r := &reader{data: data[len(stateMagic):]}
	if version := r.uvarint(); r.err == nil && version != stateVersion {
		return "", fmt.Errorf("avss: %w: version %d, this program reads %d", errState, version, stateVersion)
	}
	name := r.text()
	if r.err != nil {
		return "", fmt.Errorf("avss: %w: %v", errState, r.err)
	}
	return name, nil
}

type writer struct{ data []byte }

func (w *writer) uvarint(v uint64) { w.data = binary.AppendUvarint(w.data, v) }
func (w *writer) count(v int64)    { w.uvarint(uint64(v)) }
func (w *writer) uint32(v uint32)  { w.data = binary.LittleEndian.AppendUint32(w.data, v) }
func (w *writer) float(v float64) {
	w.data = binary.LittleEndian.AppendUint64(w.data, math.Float64bits(v))
}
func (w *writer) float32(v float32) { w.uint32(math.Float32bits(v)) }
func (w *writer) text(s string) {
	w.uvarint(uint64(len(s)))
	w.data = append(w.data, s...)
}

// reader takes numbers off the front of data. Its first failure sticks; after it everything read is zero.
type reader struct {
	data []byte
	err  error
}

func (r *reader) fail(why string) {
	if r.err == nil {
		r.err = errors.New(why)
	}
	r.data = nil
}

func (r *reader) take(n int) []byte {
	if len(r.data) < n {
		r.fail(fmt.Sprintf("truncated: %d bytes left, want %d", len(r.data), n))
		return make([]byte, n)
	}
	out := r.data[:n]
	r.data = r.data[n:]
	return out
}

func (r *reader) uvarint() uint64 {
	v, n := binary.Uvarint(r.data)
	switch {
	case n == 0:
		r.fail("truncated inside a number")
		return 0
	case n < 0 || n > 1 && r.data[n-1] == 0:
		r.fail("a number is not written the shortest way")
		return 0
	}
	r.data = r.data[n:]
	return v
}

// maxCount bounds counts and the numbers of sequences, so that no sum of them overflows.
const maxCount = 1 << 55

// count reads a number up to maxCount.
func (r *reader) count() int64 {
	v := r.uvarint()
	if v > maxCount {
		r.fail(fmt.Sprintf("a count is %d, at most 2^55 is believed", v))
		return 0
	}
	return int64(v)
}

// length reads how many things follow, each at least size bytes long.
func (r *reader) length(what string, size, most int) int {
	v := r.uvarint()
	if v > uint64(most) || v > uint64(len(r.data)/size) {
		r.fail(fmt.Sprintf("%d %s, but %d bytes are left and %d are allowed", v, what, len(r.data), most))
		return 0
	}
	return int(v)
}

func (r *reader) uint32() uint32   { return binary.LittleEndian.Uint32(r.take(4)) }
func (r *reader) float() float64   { return math.Float64frombits(binary.LittleEndian.Uint64(r.take(8))) }
func (r *reader) float32() float32 { return math.Float32frombits(r.uint32()) }
func (r *reader) text() string {
	return string(r.take(r.length("letters of a name", 1, 256)))
}

// end is the reader's failure, or one about bytes left over, with the metric's name.
func (r *reader) end(name string) error {
	if r.err == nil && len(r.data) > 0 {
		r.fail(fmt.Sprintf("%d bytes too many at its end", len(r.data)))
	}
	if r.err != nil {
		return fmt.Errorf("avss: %s: %w: %v", name, errState, r.err)
	}
	return nil
}
