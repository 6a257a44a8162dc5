package failure_test

import (
	"errors"
	"fmt"

	"avssnative/failure"
)

func ExampleKind() {
	err := fmt.Errorf("opening: %w", failure.NotFound.Errorf("no model %q", "x"))
	fmt.Println(err)
	fmt.Println(errors.Is(err, failure.NotFound), errors.Is(err, failure.Corrupt))
	// Output:
	// opening: no model "x"
	// true false
}
