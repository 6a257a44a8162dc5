package bench

import (
	"context"
	"errors"
	"testing"
	"time"
)

// Work that outlasts its time is interrupted, which is no error; one that fails, or is cancelled from outside, is.
func TestWithin(t *testing.T) {
	waits := func(ctx context.Context) error {
		<-ctx.Done()
		return ctx.Err()
	}
	if whole, err := Within(t.Context(), time.Millisecond, waits); whole || err != nil {
		t.Errorf("%v, %v", whole, err)
	}
	if whole, err := Within(t.Context(), time.Hour, func(context.Context) error { return nil }); !whole || err != nil {
		t.Errorf("%v, %v", whole, err)
	}
	broken := errors.New("broken")
	if whole, err := Within(t.Context(), time.Hour, func(context.Context) error { return broken }); whole || !errors.Is(err, broken) {
		t.Errorf("%v, %v", whole, err)
	}
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	if whole, err := Within(cancelled, time.Hour, waits); whole || !errors.Is(err, context.Canceled) {
		t.Errorf("%v, %v", whole, err)
	}
}
