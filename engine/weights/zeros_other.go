//go:build !unix

package weights

// Nothing is a run of zero bytes.
type Nothing struct{ data []byte }

// Zeros makes so many. Here they are asked of Go, whose fresh memory the system gives only when it is touched.
func Zeros(bytes int) (*Nothing, error) { return &Nothing{make([]byte, bytes)}, nil }

// Bytes are the zeros; they must not be written to.
func (n *Nothing) Bytes() []byte { return n.data }

// Close gives them back.
func (n *Nothing) Close() error {
	n.data = nil
	return nil
}
