package mapped

import (
	"fmt"
	"io"
)

// read is the slow twin of a mapping: the same bytes, copied into memory. It serves systems without mmap and the tests.
func read(file io.ReaderAt, size int) ([]byte, error) {
	data := make([]byte, size)
	if n, err := file.ReadAt(data, 0); n < size {
		return nil, fmt.Errorf("%d of %d bytes read: %w", n, size, err)
	}
	return data, nil
}
