package weights

import "fmt"

// Missing is the error of a tensor that a model needs and its files lack. Where an index lists it, the error names the file it should be in:
// what an index lists and no file holds is nobody's concern until the model needs it.
func Missing(s Tensors, name string) error {
	if listed, ok := s.(interface{ Absent() map[string]string }); ok {
		if file := listed.Absent()[name]; file != "" {
			return fmt.Errorf("tensor %s: missing from %s, where the index places it", name, file)
		}
	}
	return fmt.Errorf("tensor %s: missing from the model's files", name)
}
