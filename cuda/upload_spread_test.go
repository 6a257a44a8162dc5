package cuda

import (
	"bytes"
	"testing"
)

// TestSpread: several goroutines copy what one does, whatever the length.
func TestSpread(t *testing.T) {
	for _, n := range []int{0, 1, leastCopied, leastCopied + 1, copiers*leastCopied - 1, copiers*leastCopied + 3} {
		from, to := make([]byte, n), make([]byte, n+5)
		for i := range from {
			from[i] = byte(i*7 + i>>8)
		}
		spread(to, from)
		if !bytes.Equal(to[:n], from) || !bytes.Equal(to[n:], make([]byte, 5)) {
			t.Errorf("%d bytes: others were copied", n)
		}
	}
}
