//go:build unix

package weights

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// Nothing is a run of zero bytes that takes no memory as long as nobody reads it, and only one page where they do.
type Nothing struct{ data []byte }

// Zeros makes so many.
func Zeros(bytes int) (*Nothing, error) {
	if bytes == 0 {
		return &Nothing{}, nil
	}
	data, err := unix.Mmap(-1, 0, bytes, unix.PROT_READ, unix.MAP_ANON|unix.MAP_PRIVATE)
	if err != nil {
		return nil, fmt.Errorf("weights: %d bytes of zeros: %w", bytes, err)
	}
	return &Nothing{data}, nil
}

// Bytes are the zeros; they must not be written to.
func (n *Nothing) Bytes() []byte { return n.data }

// Close gives them back.
func (n *Nothing) Close() error {
	if n.data == nil {
		return nil
	}
	data := n.data
	n.data = nil
	return unix.Munmap(data)
}
