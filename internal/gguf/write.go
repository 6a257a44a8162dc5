package gguf

import (
	"bufio"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"reflect"
	"slices"
	"unicode/utf8"

	"avssnative/internal/mapped"
)

// version is what Write writes.
const version = 3

// Source is a tensor to be written.
type Source struct {
	Name   string
	Type   Type
	Shape  []int64                 // outermost dimension first
	Stream func(w io.Writer) error // writes the blocks, exactly as many bytes as Type and Shape say; called once
}

// Source copies the tensor's blocks under another name (or its own). Pages are released as they are copied.
func (t Tensor) Source(name string) Source {
	return Source{Name: name, Type: t.Type, Shape: t.Shape, Stream: func(w io.Writer) error {
		return t.origin.CopyTo(w, t.Offset, int64(len(t.Data)))
	}}
}

// Bytes is a source that lies in memory.
func Bytes(name string, kind Type, shape []int64, data []byte) Source {
	return Source{Name: name, Type: kind, Shape: shape, Stream: func(w io.Writer) error {
		_, err := w.Write(data)
		return err
	}}
}

// Write writes a file of version 3, metadata and tensors in the given order, each tensor at a multiple of general.alignment (32 where the
// metadata has none). The file appears whole or not at all and replaces what had its name.
func Write(ctx context.Context, path string, metadata []KV, tensors []Source) error {
	header, sizes, alignment, err := encode(metadata, tensors)
	if err != nil {
		return fmt.Errorf("gguf: %s: %w", path, err)
	}
	err = mapped.Write(path, func(w io.Writer) error {
		buffered := bufio.NewWriterSize(w, 1<<16)
		if _, err := buffered.Write(header); err != nil {
			return err
		}
		if err := zeros(buffered, int64(len(header)), alignment); err != nil {
			return err
		}
		for i, tensor := range tensors {
			err := mapped.Stream(ctx, buffered, sizes[i], tensor.Stream)
			if err == nil {
				err = zeros(buffered, sizes[i], alignment)
			}
			if err != nil {
				return fmt.Errorf("tensor %.80q: %w", tensor.Name, err)
			}
		}
		return buffered.Flush()
	})
	if err != nil {
		return fmt.Errorf("gguf: %s: %w", path, err)
	}
	return nil
}

// zeros fills up what follows size bytes to the alignment.
func zeros(w io.Writer, size, alignment int64) error {
	_, err := w.Write(make([]byte, padded(size, alignment)-size))
	return err
}

// encode returns the header, the size of each tensor, and the alignment. It is as strict as parse: what it accepts can be read again.
func encode(metadata []KV, tensors []Source) (header []byte, sizes []int64, alignment int64, err error) {
	header = append(header, magic...)
	header = binary.LittleEndian.AppendUint32(header, version)
	header = binary.LittleEndian.AppendUint64(header, uint64(len(tensors)))
	header = binary.LittleEndian.AppendUint64(header, uint64(len(metadata)))
	for _, entry := range metadata {
		if header, err = appendName(header, entry.Key); err != nil {
			return nil, nil, 0, err
		}
		if header, err = appendValue(header, entry.Value); err != nil {
			return nil, nil, 0, fmt.Errorf("metadata %.80q: %w", entry.Key, err)
		}
	}
	check := &contents{alignment: defaultAlignment}
	if err := check.readMetadata(&cursor{data: header, at: 24}, uint64(len(metadata))); err != nil {
		return nil, nil, 0, err
	}
	alignment = check.alignment
	seen := map[string]bool{}
	var offset int64
	for _, tensor := range tensors {
		if seen[tensor.Name] {
			return nil, nil, 0, fmt.Errorf("tensor %.80q: named twice", tensor.Name)
		}
		seen[tensor.Name] = true
		size, err := tensor.Type.Size(tensor.Shape)
		if err == nil && len(tensor.Shape) > maxDimensions {
			err = fmt.Errorf("%d dimensions, want at most %d", len(tensor.Shape), maxDimensions)
		}
		if err == nil && size > math.MaxInt64-offset-2*maxAlignment {
			err = fmt.Errorf("the file would have more than 2^63 bytes")
		}
		if err == nil {
			header, err = appendName(header, tensor.Name)
		}
		if err != nil {
			return nil, nil, 0, fmt.Errorf("tensor %.80q: %w", tensor.Name, err)
		}
		header = binary.LittleEndian.AppendUint32(header, uint32(len(tensor.Shape)))
		for _, dimension := range slices.Backward(tensor.Shape) {
			header = binary.LittleEndian.AppendUint64(header, uint64(dimension))
		}
		header = binary.LittleEndian.AppendUint32(header, uint32(tensor.Type))
		header = binary.LittleEndian.AppendUint64(header, uint64(offset))
		sizes = append(sizes, size)
		offset += padded(size, alignment)
	}
	return header, sizes, alignment, nil
}

func appendName(to []byte, name string) ([]byte, error) {
	if len(name) > math.MaxUint16 || !utf8.ValidString(name) {
		return to, fmt.Errorf("name %.80q of %d bytes cannot be written", name, len(name))
	}
	return appendText(to, name), nil
}

func appendText(to []byte, text string) []byte {
	return append(binary.LittleEndian.AppendUint64(to, uint64(len(text))), text...)
}

// appendValue writes the type of a value and the value.
func appendValue(to []byte, value any) ([]byte, error) {
	kind, list, ok := kindOf(value)
	if !ok {
		return to, fmt.Errorf("a value of type %T cannot be written", value)
	}
	if list {
		to = binary.LittleEndian.AppendUint32(to, typeArray)
	}
	to = binary.LittleEndian.AppendUint32(to, kind)
	if list {
		return appendList(to, value)
	}
	return appendScalar(to, value)
}

// kindOf returns the number of a value's type; of its elements' type where it is a list.
func kindOf(value any) (kind uint32, list, ok bool) {
	switch value.(type) {
	case uint8, []uint8:
		kind = typeUint8
	case int8, []int8:
		kind = typeInt8
	case uint16, []uint16:
		kind = typeUint16
	case int16, []int16:
		kind = typeInt16
	case uint32, []uint32:
		kind = typeUint32
	case int32, []int32:
		kind = typeInt32
	case float32, []float32:
		kind = typeFloat32
	case bool, []bool:
		kind = typeBool
	case string, []string:
		kind = typeString
	case uint64, []uint64:
		kind = typeUint64
	case int64, []int64:
		kind = typeInt64
	case float64, []float64:
		kind = typeFloat64
	case []any:
		kind = typeArray
	default:
		return 0, false, false
	}
	switch value.(type) {
	case uint8, int8, uint16, int16, uint32, int32, float32, bool, string, uint64, int64, float64:
		return kind, false, true
	}
	return kind, true, true
}

func appendScalar(to []byte, value any) ([]byte, error) {
	if text, ok := value.(string); ok {
		return appendText(to, text), nil
	}
	return binary.Append(to, binary.LittleEndian, value)
}

func appendList(to []byte, value any) ([]byte, error) {
	switch list := value.(type) {
	case []string:
		to = binary.LittleEndian.AppendUint64(to, uint64(len(list)))
		for _, text := range list {
			to = appendText(to, text)
		}
		return to, nil
	case []any:
		to = binary.LittleEndian.AppendUint64(to, uint64(len(list)))
		for _, inner := range list {
			kind, isList, ok := kindOf(inner)
			if !ok || !isList {
				return to, fmt.Errorf("a list of type %T in a list cannot be written", inner)
			}
			var err error
			if to, err = appendList(binary.LittleEndian.AppendUint32(to, kind), inner); err != nil {
				return to, err
			}
		}
		return to, nil
	}
	to = binary.LittleEndian.AppendUint64(to, uint64(reflect.ValueOf(value).Len()))
	return binary.Append(to, binary.LittleEndian, value)
}
