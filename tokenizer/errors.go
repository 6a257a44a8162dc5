// The kinds of errors a caller may branch on, and how text that comes from files is quoted in them.

package tokenizer

import (
	"encoding/json"
	"errors"
	"fmt"

	"avssnative/failure"
)

// The kinds of errors, for errors.Is, beside failure.NotFound (there is no such path, or a folder without a vocabulary), failure.Unsupported (a
// component, version or option that this package does not know) and failure.Corrupt (the file contradicts itself or its format). An error of the
// operating system keeps its own kind as well, a cancelled encoding is its context's error.
var (
	ErrText  = errors.New("tokenizer: unfit text")     // text that is not UTF-8, too long, or holds what the vocabulary cannot spell
	ErrLimit = errors.New("tokenizer: limit exceeded") // a rule of the file grows text, or searches it, beyond bounds
	ErrID    = errors.New("tokenizer: no such token")  // an id that names no token
)

// A kindError is an error of a kind, which its text does not repeat.
type kindError struct{ kind, err error }

func (e *kindError) Error() string   { return e.err.Error() }
func (e *kindError) Unwrap() []error { return []error{e.kind, e.err} }

func kindf(kind error, format string, values ...any) error {
	return &kindError{kind, fmt.Errorf(format, values...)}
}

func unsupported(format string, values ...any) error {
	return kindf(failure.Unsupported, format, values...)
}

// located says which file an error is about.
func located(name string, err error) error {
	if err == nil {
		return nil
	}
	return classified(fmt.Errorf("tokenizer: %s: %w", name, err))
}

// classified gives an error without a kind the kind failure.Corrupt.
func classified(err error) error {
	for _, kind := range []error{ErrText, ErrLimit, ErrID} {
		if errors.Is(err, kind) {
			return err
		}
	}
	return failure.Corrupt.Unless(err)
}

// unmarshal is json.Unmarshal; an error repeats no more than a few words of the file.
func unmarshal(data []byte, into any) error {
	err := json.Unmarshal(data, into)
	if wrong := (*json.UnmarshalTypeError)(nil); errors.As(err, &wrong) {
		if wrong.Field != "" {
			return fmt.Errorf("json: %.80q: cannot unmarshal %.40s into a %s", wrong.Field, wrong.Value, wrong.Type)
		}
		return fmt.Errorf("json: cannot unmarshal %.40s into a %s", wrong.Value, wrong.Type)
	}
	return err
}
