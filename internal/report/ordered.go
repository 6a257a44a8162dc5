package report

// JSON objects whose order means something: tasks as they were asked for, phases as they began.

import (
	"bytes"
	"encoding/json"
	"fmt"
)

// MarshalJSON writes {"name": {…}, …}.
func (t Tasks) MarshalJSON() ([]byte, error) {
	return writeOrdered(len(t), func(i int) (string, any) { return t[i].Name, t[i] })
}

// UnmarshalJSON reads the object in its order.
func (t *Tasks) UnmarshalJSON(data []byte) error {
	*t = nil
	return readOrdered(data, "tasks", func(name string, decode func(any) error) error {
		var task Task
		if err := decode(&task); err != nil {
			return err
		}
		task.Name = name
		*t = append(*t, task)
		return nil
	})
}

// MarshalJSON writes {"phase": seconds, …}.
func (p Phases) MarshalJSON() ([]byte, error) {
	return writeOrdered(len(p), func(i int) (string, any) { return p[i].Name, p[i].Seconds })
}

// UnmarshalJSON reads the object in its order.
func (p *Phases) UnmarshalJSON(data []byte) error {
	*p = nil
	return readOrdered(data, "seconds", func(name string, decode func(any) error) error {
		phase := Phase{Name: name}
		if err := decode(&phase.Seconds); err != nil {
			return err
		}
		*p = append(*p, phase)
		return nil
	})
}

func writeOrdered(n int, field func(int) (string, any)) ([]byte, error) {
	var b bytes.Buffer
	b.WriteByte('{')
	for i := range n {
		if i > 0 {
			b.WriteByte(',')
		}
		key, value := field(i)
		name, err := json.Marshal(key)
		if err != nil {
			return nil, err
		}
		text, err := json.Marshal(value)
		if err != nil {
			return nil, err
		}
		b.Write(name)
		b.WriteByte(':')
		b.Write(text)
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}

// readOrdered gives each of an object's fields to take; null is an object without fields.
func readOrdered(data []byte, what string, take func(name string, decode func(any) error) error) error {
	d := json.NewDecoder(bytes.NewReader(data))
	first, err := d.Token()
	if err != nil || first == nil {
		return err
	}
	if first != json.Delim('{') {
		return fmt.Errorf("%s: want an object", what)
	}
	seen := map[string]bool{}
	for d.More() {
		token, err := d.Token()
		if err != nil {
			return err
		}
		name, _ := token.(string) // between { and } every other token is one
		if seen[name] {
			return fmt.Errorf("%s: %q stands there twice", what, name)
		}
		seen[name] = true
		if err := take(name, d.Decode); err != nil {
			return fmt.Errorf("%s: %q: %w", what, name, err)
		}
	}
	return nil
}
