package gguf

import (
	"encoding/binary"
	"fmt"
	"math"
	"unicode/utf8"
)

// Numbers of the metadata's value types.
const (
	typeUint8 = iota
	typeInt8
	typeUint16
	typeInt16
	typeUint32
	typeInt32
	typeFloat32
	typeBool
	typeString
	typeArray
	typeUint64
	typeInt64
	typeFloat64
)

// maxNesting is how deep arrays may lie in arrays. Nothing published nests them at all.
const maxNesting = 4

// cursor reads little-endian values and remembers the first error, after which it reads zeros.
type cursor struct {
	data []byte // the whole file
	at   int
	err  error
}

func (c *cursor) fail(format string, args ...any) {
	if c.err == nil {
		c.err = fmt.Errorf(format, args...)
	}
}

// take returns the next n bytes.
func (c *cursor) take(n uint64) []byte {
	if c.err == nil && n > uint64(len(c.data)-c.at) {
		c.fail("byte %d: %d bytes wanted, %d left: truncated", c.at, n, len(c.data)-c.at)
	}
	if c.err != nil {
		return nil
	}
	part := c.data[c.at : c.at+int(n)]
	c.at += int(n)
	return part
}

func (c *cursor) uint32() uint32 {
	if part := c.take(4); part != nil {
		return binary.LittleEndian.Uint32(part)
	}
	return 0
}

func (c *cursor) uint64() uint64 {
	if part := c.take(8); part != nil {
		return binary.LittleEndian.Uint64(part)
	}
	return 0
}

// name reads a text that must be UTF-8 and at most 65535 bytes, as the format demands of keys.
func (c *cursor) name() string {
	length := c.uint64()
	if c.err == nil && length > math.MaxUint16 {
		c.fail("byte %d: a name of %d bytes, want at most %d", c.at, length, math.MaxUint16)
	}
	text := string(c.take(length))
	if !utf8.ValidString(text) {
		c.fail("byte %d: a name that is not UTF-8", c.at)
	}
	return text
}

// scalar is a fixed-size value that lists are made of.
type scalar interface {
	uint8 | int8 | uint16 | int16 | uint32 | int32 | float32 | bool | uint64 | int64 | float64
}

// list reads count values of size bytes each.
func list[T scalar](c *cursor, count uint64, size int, decode func([]byte) T) []T {
	if count > uint64(len(c.data))/uint64(size) {
		c.fail("byte %d: a list of %d values in a file of %d bytes: truncated", c.at, count, len(c.data))
	}
	data := c.take(count * uint64(size))
	if c.err != nil {
		return nil
	}
	values := make([]T, count)
	for i := range values {
		values[i] = decode(data[i*size:])
	}
	return values
}

// one reads a single value through list, so that both agree.
func one[T scalar](c *cursor, size int, decode func([]byte) T) any {
	var value T
	if values := list(c, 1, size, decode); len(values) == 1 {
		value = values[0]
	}
	return value
}

func asUint8(b []byte) uint8     { return b[0] }
func asInt8(b []byte) int8       { return int8(b[0]) }
func asUint16(b []byte) uint16   { return binary.LittleEndian.Uint16(b) }
func asInt16(b []byte) int16     { return int16(asUint16(b)) }
func asUint32(b []byte) uint32   { return binary.LittleEndian.Uint32(b) }
func asInt32(b []byte) int32     { return int32(asUint32(b)) }
func asFloat32(b []byte) float32 { return math.Float32frombits(asUint32(b)) }
func asUint64(b []byte) uint64   { return binary.LittleEndian.Uint64(b) }
func asInt64(b []byte) int64     { return int64(asUint64(b)) }
func asFloat64(b []byte) float64 { return math.Float64frombits(asUint64(b)) }

// asBool refuses what is neither 0 nor 1, because it could not be written back as it was.
func (c *cursor) asBool(b []byte) bool {
	if b[0] > 1 {
		c.fail("a bool of value %d", b[0])
	}
	return b[0] == 1
}

// value reads a value of the type; see KV for what it becomes.
func (c *cursor) value(kind uint32, depth int) any {
	switch kind {
	case typeUint8:
		return one(c, 1, asUint8)
	case typeInt8:
		return one(c, 1, asInt8)
	case typeUint16:
		return one(c, 2, asUint16)
	case typeInt16:
		return one(c, 2, asInt16)
	case typeUint32:
		return one(c, 4, asUint32)
	case typeInt32:
		return one(c, 4, asInt32)
	case typeFloat32:
		return one(c, 4, asFloat32)
	case typeBool:
		return one(c, 1, c.asBool)
	case typeString:
		return string(c.take(c.uint64()))
	case typeArray:
		return c.array(depth + 1)
	case typeUint64:
		return one(c, 8, asUint64)
	case typeInt64:
		return one(c, 8, asInt64)
	case typeFloat64:
		return one(c, 8, asFloat64)
	}
	c.fail("byte %d: value type %d is unknown", c.at, kind)
	return nil
}

func (c *cursor) array(depth int) any {
	kind, count := c.uint32(), c.uint64()
	if depth > maxNesting {
		c.fail("byte %d: arrays nested more than %d deep", c.at, maxNesting)
	}
	if c.err != nil {
		return nil
	}
	switch kind {
	case typeUint8:
		return list(c, count, 1, asUint8)
	case typeInt8:
		return list(c, count, 1, asInt8)
	case typeUint16:
		return list(c, count, 2, asUint16)
	case typeInt16:
		return list(c, count, 2, asInt16)
	case typeUint32:
		return list(c, count, 4, asUint32)
	case typeInt32:
		return list(c, count, 4, asInt32)
	case typeFloat32:
		return list(c, count, 4, asFloat32)
	case typeBool:
		return list(c, count, 1, c.asBool)
	case typeUint64:
		return list(c, count, 8, asUint64)
	case typeInt64:
		return list(c, count, 8, asInt64)
	case typeFloat64:
		return list(c, count, 8, asFloat64)
	case typeString:
		return items(c, count, 8, func() string { return string(c.take(c.uint64())) })
	case typeArray:
		return items(c, count, 12, func() any { return c.array(depth + 1) })
	}
	c.fail("byte %d: value type %d is unknown", c.at, kind)
	return nil
}

// items reads count values that take at least size bytes each, so that an absurd count is found before anything is allocated.
func items[T any](c *cursor, count uint64, size int, read func() T) []T {
	if c.err == nil && count > uint64(len(c.data)-c.at)/uint64(size) {
		c.fail("byte %d: a list of %d values in %d bytes: truncated", c.at, count, len(c.data)-c.at)
	}
	if c.err != nil {
		return nil
	}
	values := make([]T, 0, count)
	for range count {
		value := read()
		if c.err != nil {
			return nil
		}
		values = append(values, value)
	}
	return values
}
