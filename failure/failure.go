// Package failure names the kinds of errors that a caller may want to branch on. An error of a kind keeps its own text and says what it is
// to errors.Is:
//
//	if _, err := bench.Load(ctx, names, source, limit); errors.Is(err, failure.NotFound) { … }
//
// What was cancelled is context.Canceled or context.DeadlineExceeded, as everywhere in Go.
package failure

import "fmt"

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

type failure struct {
	error
	kind Kind
}

func (f *failure) Unwrap() error { return f.error }

func (f *failure) Is(target error) bool { return target == f.kind }
