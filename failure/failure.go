// Package failure names the kinds of errors that a caller may want to branch on. An error of a kind keeps its own text and says what it is
// to errors.Is:
//
//	if _, err := bench.Load(ctx, names, source, limit); errors.Is(err, failure.NotFound) { … }
//
// What was cancelled is context.Canceled or context.DeadlineExceeded, as everywhere in Go.
package failure

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
)

// Kind is a kind of error.
type Kind string

const (
	NotFound    Kind = "not found"     // nothing has the name that was given: a model, file, metric, task, layer
	Unsupported Kind = "not supported" // it is what it says, and nothing here can read or compute it
	Corrupt     Kind = "corrupt"       // it is not what it says: damaged, cut off, or contradicting itself
	Memory      Kind = "out of memory" // it takes more than the memory that was allowed for
)

// Error is the kind's name.
func (k Kind) Error() string { return string(k) }

// Errorf is fmt.Errorf of which errors.Is says that it is of this kind.
func (k Kind) Errorf(format string, arguments ...any) error {
	return k.Of(fmt.Errorf(format, arguments...))
}

// Of is err, text and all, of which errors.Is says that it is of this kind.
func (k Kind) Of(err error) error {
	if err == nil {
		return nil
	}
	return &failure{err, k}
}

// Unless is err, of which errors.Is says that it is of this kind unless it has one already: it was cancelled, the operating system's errors are
// what they are, and a path that is not there is NotFound.
func (k Kind) Unless(err error) error {
	for _, kind := range []error{NotFound, Unsupported, Corrupt, Memory, context.Canceled, context.DeadlineExceeded} {
		if errors.Is(err, kind) {
			return err
		}
	}
	if errors.Is(err, fs.ErrNotExist) {
		return NotFound.Of(err)
	}
	if system := (*fs.PathError)(nil); errors.As(err, &system) {
		return err
	}
	return k.Of(err)
}

type failure struct {
	error
	kind Kind
}

func (f *failure) Unwrap() error { return f.error }

func (f *failure) Is(target error) bool { return target == f.kind }
