package safetensors

import (
	"bytes"
	"cmp"
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"unicode/utf8"

	"avssnative/internal/mapped"
)

// DefaultShardBytes is the most data Write puts into one file unless told otherwise.
const DefaultShardBytes = 5_000_000_000

// Source is a tensor to be written.
type Source struct {
	Name, DType string
	Shape       []int64
	Size        int64                   // bytes Stream will write
	Stream      func(w io.Writer) error // writes the tensor's bytes, little endian, row major; called once
}

// Bytes is a source that lies in memory.
func Bytes(name, dtype string, shape []int64, data []byte) Source {
	return Source{Name: name, DType: dtype, Shape: shape, Size: int64(len(data)), Stream: func(w io.Writer) error {
		_, err := w.Write(data)
		return err
	}}
}

// Source copies the tensor under another name (or its own). Pages are released as they are copied.
func (t Tensor) Source(name string) Source {
	return Source{Name: name, DType: t.DType, Shape: t.Shape, Size: int64(len(t.Data)), Stream: func(w io.Writer) error {
		return t.origin.CopyTo(w, t.Offset, int64(len(t.Data)))
	}}
}

// Write writes a model's weights into the folder dir: model.safetensors, or model-00001-of-0000N.safetensors and an index where the data
// is more than shardBytes (0 means DefaultShardBytes). Order is kept; a shard in which some tensor would then not lie at a multiple of
// its element size has its tensors by falling element size instead. The header gets __metadata__ {"format":"pt"} and metadata.
// It returns the names of the files. Each appears whole: it has another name until it is synced. On an error those written so far are
// removed again, and the error names the file.
func Write(ctx context.Context, dir string, sources []Source, metadata map[string]string, shardBytes int64) (names []string, err error) {
	if shardBytes <= 0 {
		shardBytes = DefaultShardBytes
	}
	if err := checkSources(sources); err != nil {
		return nil, fmt.Errorf("safetensors: %s: %w", dir, err)
	}
	defer func() {
		if err == nil {
			return
		}
		for _, name := range names {
			os.Remove(filepath.Join(dir, name))
		}
		names = nil
	}()
	shards := split(sources, shardBytes)
	shardOf := map[string]string{}
	var total int64
	for i, shard := range shards {
		name := singleName
		if len(shards) > 1 {
			name = fmt.Sprintf("model-%05d-of-%05d.safetensors", i+1, len(shards))
		}
		if err := WriteFile(ctx, filepath.Join(dir, name), shard, metadata); err != nil {
			return names, err
		}
		names = append(names, name)
		for _, source := range shard {
			shardOf[source.Name] = name
			total += source.Size
		}
	}
	if len(shards) > 1 {
		index := map[string]any{"metadata": map[string]any{"total_size": total}, "weight_map": shardOf}
		if err := write(filepath.Join(dir, indexName), func(w io.Writer) error {
			encoder := json.NewEncoder(w)
			encoder.SetEscapeHTML(false)
			encoder.SetIndent("", "  ")
			return encoder.Encode(index)
		}); err != nil {
			return names, err
		}
		names = append(names, indexName)
	}
	return names, nil
}

// WriteFile writes one file, replacing what has that name once the new one is complete. See Write.
func WriteFile(ctx context.Context, path string, sources []Source, metadata map[string]string) error {
	if err := checkSources(sources); err != nil {
		return fmt.Errorf("safetensors: %s: %w", path, err)
	}
	sources = aligned(sources)
	header, err := header(sources, metadata)
	if err != nil {
		return fmt.Errorf("safetensors: %s: %w", path, err)
	}
	return write(path, func(w io.Writer) error {
		if _, err := w.Write(header); err != nil {
			return err
		}
		for _, source := range sources {
			if err := mapped.Stream(ctx, w, source.Size, source.Stream); err != nil {
				return fmt.Errorf("tensor %q: %w", source.Name, err)
			}
		}
		return nil
	})
}

// header returns the length and the JSON text, padded with spaces so that the data begins at a multiple of 8.
func header(sources []Source, metadata map[string]string) ([]byte, error) {
	text := bytes.NewBuffer(make([]byte, 8))
	encoder := json.NewEncoder(text)
	encoder.SetEscapeHTML(false)
	put := func(key string, value any) error {
		if err := encoder.Encode(key); err != nil {
			return err
		}
		text.Truncate(text.Len() - 1) // Encode ends with a newline
		text.WriteByte(':')
		if err := encoder.Encode(value); err != nil {
			return err
		}
		text.Truncate(text.Len() - 1)
		text.WriteByte(',')
		return nil
	}
	text.WriteByte('{')
	all := map[string]string{"format": "pt"}
	for key, value := range metadata {
		all[key] = value
	}
	if err := put("__metadata__", all); err != nil {
		return nil, err
	}
	var offset int64
	for _, source := range sources {
		entry := struct {
			DType   string   `json:"dtype"`
			Shape   []int64  `json:"shape"`
			Offsets [2]int64 `json:"data_offsets"`
		}{source.DType, append([]int64{}, source.Shape...), [2]int64{offset, offset + source.Size}}
		if err := put(source.Name, entry); err != nil {
			return nil, err
		}
		offset += source.Size
	}
	text.Truncate(text.Len() - 1)
	text.WriteByte('}')
	for text.Len()%8 != 0 {
		text.WriteByte(' ')
	}
	bytes := text.Bytes()
	if len(bytes)-8 > maxHeader {
		return nil, fmt.Errorf("header of %d bytes, want at most %d", len(bytes)-8, maxHeader)
	}
	binary.LittleEndian.PutUint64(bytes, uint64(len(bytes)-8))
	return bytes, nil
}

func checkSources(sources []Source) error {
	seen := make(map[string]bool, len(sources))
	for _, source := range sources {
		if source.Name == "__metadata__" || seen[source.Name] {
			return fmt.Errorf("tensor %q: name taken", source.Name)
		}
		if len(source.Name) > maxName || len(source.Shape) > maxRank || !utf8.ValidString(source.Name) {
			return fmt.Errorf("tensor %.80q: name of %d bytes or %d dimensions cannot be written", source.Name, len(source.Name), len(source.Shape))
		}
		seen[source.Name] = true
		size, known, err := Size(source.DType, source.Shape)
		if err == nil && (source.Size < 0 || known && size != source.Size) {
			err = fmt.Errorf("%d bytes, want %d for shape %v of %s", source.Size, size, source.Shape, source.DType)
		}
		if err != nil {
			return fmt.Errorf("tensor %q: %w", source.Name, err)
		}
	}
	return nil
}

func split(sources []Source, most int64) [][]Source {
	shards := [][]Source{nil}
	var size int64
	for _, source := range sources {
		last := len(shards) - 1
		if len(shards[last]) > 0 && source.Size > most-size {
			shards = append(shards, nil)
			last, size = last+1, 0
		}
		shards[last] = append(shards[last], source)
		size += source.Size
	}
	return shards
}

func aligned(sources []Source) []Source {
	var offset int64
	for _, source := range sources {
		if offset%alignment(source.DType) != 0 {
			sorted := slices.Clone(sources)
			slices.SortStableFunc(sorted, func(a, b Source) int { return cmp.Compare(alignment(b.DType), alignment(a.DType)) })
			return sorted
		}
		offset += source.Size
	}
	return sources
}

func write(path string, give func(io.Writer) error) error {
	if err := mapped.Write(path, give); err != nil {
		return fmt.Errorf("safetensors: %s: %w", path, err)
	}
	return nil
}
