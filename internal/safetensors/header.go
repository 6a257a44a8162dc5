package safetensors

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

const (
	maxHeader = 100_000_000 // bytes; the format's own limit
	maxName   = 4096        // bytes; the longest path a file system takes, and no model's tensor comes near
	maxRank   = 64          // dimensions; PyTorch's and NumPy's limit

	// A dimension is at most twice the data's bytes, as with four bits an element; a tensor of no elements, or of an unknown dtype, may have
	// others up to this.
	freeDimension = 1 << 20
)

// contents is what a file's bytes say.
type contents struct {
	header   []byte // the JSON text with its padding
	tensors  []Tensor
	metadata map[string]string
}

// parse reads a whole file: 8 bytes with the header's length (little endian), the header, the data. Tensors come ordered by their place
// in the data, those of no bytes where the header names them. Every byte of the data belongs to exactly one tensor.
func parse(file []byte) (*contents, error) {
	if len(file) < 8 {
		return nil, fmt.Errorf("%d bytes, want at least 8: truncated", len(file))
	}
	length := binary.LittleEndian.Uint64(file)
	if length > maxHeader {
		return nil, fmt.Errorf("header of %d bytes, want at most %d", length, maxHeader)
	}
	if length > uint64(len(file)-8) {
		return nil, fmt.Errorf("header of %d bytes in a file of %d: truncated", length, len(file))
	}
	header, data := file[8:8+length], file[8+length:]
	if len(header) == 0 || header[0] != '{' {
		return nil, fmt.Errorf("header does not begin with {: not a safetensors file")
	}
	if !utf8.Valid(header) {
		return nil, fmt.Errorf("header is not UTF-8")
	}
	if !json.Valid(header) {
		return nil, fmt.Errorf("header is not valid JSON")
	}
	if at := loneSurrogate(header); at >= 0 {
		return nil, fmt.Errorf("header: byte %d: %s is half of a character", at, header[at:at+6])
	}
	found := &contents{header: header}
	reader := headerReader{json.NewDecoder(bytes.NewReader(header))}
	reader.UseNumber()
	if err := reader.read(found); err != nil {
		return nil, err
	}
	return found, found.place(data, int64(8+length))
}

// loneSurrogate finds \uD800 to \uDFFF that is not one of a pair, in JSON that is valid: -1 where there is none. encoding/json would put U+FFFD in
// its place, so that two names would become one.
func loneSurrogate(header []byte) int {
	for at := 0; at+1 < len(header); at++ {
		if header[at] != '\\' { // there are none outside of strings
			continue
		}
		if header[at+1] != 'u' {
			at++
			continue
		}
		first := escaped(header[at:])
		if utf16.IsSurrogate(first) {
			if utf16.DecodeRune(first, escaped(header[at+6:])) == utf8.RuneError {
				return at
			}
			at += 6
		}
		at += 5
	}
	return -1
}

// escaped is the number of \uXXXX at the beginning of JSON, or -1.
func escaped(text []byte) rune {
	if len(text) < 6 || text[0] != '\\' || text[1] != 'u' {
		return -1
	}
	value, err := strconv.ParseUint(string(text[2:6]), 16, 16)
	if err != nil {
		return -1
	}
	return rune(value)
}

// place checks that the tensors cover the data without overlap or hole and sets their views.
func (c *contents) place(data []byte, start int64) error {
	slices.SortStableFunc(c.tensors, func(a, b Tensor) int {
		if a.Offset != b.Offset {
			return int(min(max(a.Offset-b.Offset, -1), 1))
		}
		return int(min(max(a.end-b.end, -1), 1)) // an empty tensor before one that has bytes
	})
	var covered int64
	for i := range c.tensors {
		t := &c.tensors[i]
		switch {
		case t.end > int64(len(data)):
			return fmt.Errorf("tensor %q: ends at byte %d of the data, which has %d: truncated", t.Name, t.end, len(data))
		case t.Offset < covered:
			return fmt.Errorf("tensor %q: begins at byte %d of the data, inside %q", t.Name, t.Offset, c.tensors[i-1].Name)
		case t.Offset > covered:
			return fmt.Errorf("tensor %q: begins at byte %d of the data, leaving a hole from %d", t.Name, t.Offset, covered)
		}
		size, known, err := Size(t.DType, t.Shape)
		if err != nil {
			return fmt.Errorf("tensor %q: %w", t.Name, err)
		}
		for _, dimension := range t.Shape {
			if dimension > max(2*int64(len(data)), freeDimension) {
				return fmt.Errorf("tensor %q: a dimension of %d for %d bytes of data", t.Name, dimension, len(data))
			}
		}
		if known && size != t.end-t.Offset {
			return fmt.Errorf("tensor %q: %d bytes, want %d for shape %v of %s", t.Name, t.end-t.Offset, size, t.Shape, t.DType)
		}
		covered = t.end
		t.Data = data[t.Offset:t.end:t.end]
		t.Offset += start
	}
	if covered != int64(len(data)) {
		return fmt.Errorf("%d bytes after the last tensor", int64(len(data))-covered)
	}
	return nil
}

// headerReader walks JSON that is known to be valid, so that only its shape can be wrong. Maps are walked key by key because
// encoding/json would let the last of two equal keys win.
type headerReader struct{ *json.Decoder }

func (r headerReader) read(c *contents) error {
	seen := map[string]bool{}
	if err := r.object(func(name string) error {
		if len(name) > maxName {
			return fmt.Errorf("a tensor's name has %d bytes, want at most %d", len(name), maxName)
		}
		if seen[name] {
			return fmt.Errorf("tensor %q: named twice", name)
		}
		seen[name] = true
		if name == "__metadata__" {
			return r.metadata(c)
		}
		tensor, err := r.tensor(name)
		if err != nil {
			return fmt.Errorf("tensor %q: %w", name, err)
		}
		c.tensors = append(c.tensors, tensor)
		return nil
	}); err != nil {
		return err
	}
	if _, err := r.Token(); err != io.EOF {
		return fmt.Errorf("header goes on after its closing brace")
	}
	return nil
}

// metadata reads texts by name. null, which some writers put where they have none, is none.
func (r headerReader) metadata(c *contents) error {
	token, err := r.Token()
	if err != nil || token == nil {
		return err
	}
	c.metadata = map[string]string{}
	return r.fields(token, func(key string) error {
		if _, twice := c.metadata[key]; twice {
			return fmt.Errorf("__metadata__ %.80q: named twice", key)
		}
		value, err := r.text()
		if err != nil {
			return fmt.Errorf("__metadata__ %.80q: %w", key, err)
		}
		c.metadata[key] = value
		return nil
	})
}

func (r headerReader) tensor(name string) (Tensor, error) {
	t := Tensor{Name: name}
	seen := map[string]bool{}
	err := r.object(func(key string) (err error) {
		if seen[key] {
			return fmt.Errorf("%s given twice", key)
		}
		seen[key] = true
		switch key {
		case "dtype":
			t.DType, err = r.text()
		case "shape":
			t.Shape, err = r.integers()
		case "data_offsets":
			var offsets []int64
			if offsets, err = r.integers(); err == nil {
				if len(offsets) != 2 || offsets[0] > offsets[1] {
					return fmt.Errorf("data_offsets %v, want a begin and an end after it", offsets)
				}
				t.Offset, t.end = offsets[0], offsets[1]
			}
		default:
			err = fmt.Errorf("unknown key %.80q", key)
		}
		return err
	})
	if err == nil && len(seen) != 3 {
		err = fmt.Errorf("want dtype, shape and data_offsets")
	}
	return t, err
}

func (r headerReader) object(field func(key string) error) error {
	token, err := r.Token()
	if err != nil {
		return err
	}
	return r.fields(token, field)
}

// fields reads an object that began with the token begin.
func (r headerReader) fields(begin json.Token, field func(key string) error) error {
	if begin != json.Delim('{') {
		return fmt.Errorf("found %.80s, want an object", fmt.Sprint(begin))
	}
	for r.More() {
		key, err := r.text()
		if err != nil {
			return err
		}
		if err := field(key); err != nil {
			return err
		}
	}
	_, err := r.Token()
	return err
}

func (r headerReader) integers() ([]int64, error) {
	token, err := r.Token()
	if err != nil {
		return nil, err
	}
	if token != json.Delim('[') {
		return nil, fmt.Errorf("found %.80s, want a list of whole numbers", fmt.Sprint(token))
	}
	list := []int64{}
	for r.More() {
		token, err := r.Token()
		if err != nil {
			return nil, err
		}
		number, _ := token.(json.Number)
		value, err := strconv.ParseUint(string(number), 10, 63)
		if err != nil {
			return nil, fmt.Errorf("found %.80s, want a whole number below 2^63", fmt.Sprint(token))
		}
		if list = append(list, int64(value)); len(list) > maxRank {
			return nil, fmt.Errorf("more than %d numbers", maxRank)
		}
	}
	_, err = r.Token()
	return list, err
}

func (r headerReader) text() (string, error) {
	token, err := r.Token()
	if err != nil {
		return "", err
	}
	text, ok := token.(string)
	if !ok {
		return "", fmt.Errorf("found %.80s, want text", fmt.Sprint(token))
	}
	return text, nil
}
