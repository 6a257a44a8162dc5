package failure

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"testing"
)

// An error gets a kind where it has none: neither one of these, nor its context's, nor the operating system's.
func TestUnless(t *testing.T) {
	if err := Corrupt.Unless(nil); err != nil {
		t.Errorf("nil became %v", err)
	}
	plain := errors.New("cut off")
	if err := Corrupt.Unless(fmt.Errorf("x: %w", plain)); !errors.Is(err, Corrupt) || !errors.Is(err, plain) || err.Error() != "x: cut off" {
		t.Errorf("%v", err)
	}
	_, missing := os.Open("/no/such/file")
	if err := Corrupt.Unless(missing); !errors.Is(err, NotFound) || !errors.Is(err, fs.ErrNotExist) || errors.Is(err, Corrupt) {
		t.Errorf("%v", err)
	}
	for _, err := range []error{NotFound.Errorf("x"), Unsupported.Errorf("x"), Memory.Errorf("x"), context.Canceled,
		&fs.PathError{Err: fs.ErrPermission}} {
		if got := Corrupt.Unless(fmt.Errorf("y: %w", err)); errors.Is(got, Corrupt) || !errors.Is(got, err) {
			t.Errorf("%v became corrupt", err)
		}
	}
}
