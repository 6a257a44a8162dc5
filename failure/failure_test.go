package failure

import (
	"context"
	"errors"
	"fmt"
	"testing"
)

func TestKindsAreFoundThroughWrapping(t *testing.T) {
	err := fmt.Errorf("outer: %w", NotFound.Errorf("bench: task %s: unknown: %w", "x", context.Canceled))
	if got, want := err.Error(), "outer: bench: task x: unknown: context canceled"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	if !errors.Is(err, NotFound) || !errors.Is(err, context.Canceled) || errors.Is(err, Corrupt) {
		t.Errorf("%v: NotFound %v, canceled %v, corrupt %v", err, errors.Is(err, NotFound), errors.Is(err, context.Canceled), errors.Is(err, Corrupt))
	}
	both := Corrupt.Of(err)
	if !errors.Is(both, Corrupt) || !errors.Is(both, NotFound) || both.Error() != err.Error() {
		t.Errorf("%v is of one kind only", both)
	}
	if NotFound.Of(nil) != nil {
		t.Error("no error has a kind")
	}
}
