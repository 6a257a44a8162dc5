package arch

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"regexp"
	"strconv"
	"strings"
)

// Config is a model's config.json. Getters remember the first thing that is wrong, so that a family's file reads as a list of facts;
// Err tells it.
type Config struct {
	values map[string]any
	where  string // "" at the top, "rope_parameters." inside
	fault  *error
}

// ParseConfig reads a JSON object.
func ParseConfig(data []byte) (*Config, error) {
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	values := map[string]any{}
	if err := d.Decode(&values); err != nil {
		return nil, fmt.Errorf("config.json: %s%w", keyBefore(data, err), err)
	}
	return &Config{values: values, fault: new(error)}, nil
}

var keyAtEnd = regexp.MustCompile(`"([^"]{1,80})"\s*:\s*-?$`)

// keyBefore names the key whose value is no JSON, as the NaN and Infinity that Python writes; empty where the fault lies elsewhere.
func keyBefore(data []byte, err error) string {
	var syntax *json.SyntaxError
	if !errors.As(err, &syntax) || syntax.Offset < 1 || syntax.Offset > int64(len(data)) {
		return ""
	}
	before := data[max(0, syntax.Offset-200) : syntax.Offset-1]
	if key := keyAtEnd.FindSubmatch(before); key != nil {
		return string(key[1]) + ": "
	}
	return ""
}

// AsConfig reads values that are already parsed.
func AsConfig(values map[string]any) *Config { return &Config{values: values, fault: new(error)} }

// jsonNumber is a number as a parsed configuration holds it.
func jsonNumber(n int) json.Number { return json.Number(strconv.Itoa(n)) }

// with is the configuration with one key changed.
func (c *Config) with(key string, value any) *Config {
	changed := &Config{values: maps.Clone(c.values), where: c.where, fault: c.fault}
	changed.values[key] = value
	return changed
}

// MarshalJSON gives the configuration's values.
func (c *Config) MarshalJSON() ([]byte, error) { return json.Marshal(c.values) }

// Err is the first thing that was wrong.
func (c *Config) Err() error { return *c.fault }

// Fail remembers what is wrong, if it is the first.
func (c *Config) Fail(format string, arguments ...any) {
	if *c.fault == nil {
		*c.fault = fmt.Errorf("config.json: "+format, arguments...)
	}
}

// Has says whether a key is there and not null.
func (c *Config) Has(key string) bool { return c.values[key] != nil }

// first finds the first key of "a|b|c" that is there and not null.
func (c *Config) first(keys string) (string, any) {
	for _, key := range strings.Split(keys, "|") {
		if v := c.values[key]; v != nil {
			return c.where + key, v
		}
	}
	return c.where + keys, nil
}

// Int reads a whole number of at least one; keys may offer several spellings, "n_layer|num_layers".
func (c *Config) Int(keys string) int {
	key, v := c.first(keys)
	if v == nil {
		c.Fail("%s: missing", key)
		return 1
	}
	n := c.integer(key, v)
	if n < 1 {
		c.Fail("%s: %d, want at least 1", key, n)
		return 1
	}
	return n
}

// IntOr reads a whole number, or gives the family's default where it is absent or null.
func (c *Config) IntOr(keys string, otherwise int) int {
	key, v := c.first(keys)
	if v == nil {
		return otherwise
	}
	return c.integer(key, v)
}

func (c *Config) integer(key string, v any) int {
	if number, ok := v.(json.Number); ok {
		if n, err := number.Int64(); err == nil && n > -1<<31 && n < 1<<31 {
			return int(n)
		}
		if x, err := number.Float64(); err == nil && x == float64(int32(x)) {
			return int(x)
		}
	}
	c.Fail("%s: %.80v, want a whole number", key, v)
	return 1
}

// FloatOr reads a number, or gives the family's default.
func (c *Config) FloatOr(keys string, otherwise float64) float64 {
	key, v := c.first(keys)
	if v == nil {
		return otherwise
	}
	if number, ok := v.(json.Number); ok {
		if x, err := number.Float64(); err == nil && math.Abs(x) <= mostNumber {
			return x
		}
	}
	c.Fail("%s: %.80v, want a number of at most %g", key, v, float64(mostNumber))
	return otherwise
}

// BoolOr reads true or false, or gives the family's default.
func (c *Config) BoolOr(keys string, otherwise bool) bool {
	key, v := c.first(keys)
	if v == nil {
		return otherwise
	}
	if b, ok := v.(bool); ok {
		return b
	}
	c.Fail("%s: %.80v, want true or false", key, v)
	return otherwise
}

// StringOr reads a text, or gives the family's default.
func (c *Config) StringOr(keys string, otherwise string) string {
	key, v := c.first(keys)
	if v == nil {
		return otherwise
	}
	if s, ok := v.(string); ok {
		return s
	}
	c.Fail("%s: %.80v, want a text", key, v)
	return otherwise
}

// Strings reads a list of texts, nil where absent.
func (c *Config) Strings(key string) []string {
	list := c.list(key)
	if list == nil {
		return nil
	}
	texts := make([]string, 0, len(list))
	for _, v := range list {
		s, ok := v.(string)
		if !ok {
			c.Fail("%s%s: %.80v, want texts", c.where, key, v)
		}
		texts = append(texts, s)
	}
	return texts
}

// Ints reads a list of whole numbers, nil where absent.
func (c *Config) Ints(key string) []int {
	var numbers []int
	for _, v := range c.list(key) {
		numbers = append(numbers, c.integer(c.where+key, v))
	}
	return numbers
}

// Floats reads a list of numbers, nil where absent.
func (c *Config) Floats(key string) []float64 {
	var numbers []float64
	for _, v := range c.list(key) {
		number, ok := v.(json.Number)
		x, err := number.Float64()
		if !ok || err != nil || math.Abs(x) > mostNumber {
			c.Fail("%s%s: %.80v, want numbers of at most %g", c.where, key, v, float64(mostNumber))
			return nil
		}
		numbers = append(numbers, x)
	}
	return numbers
}

func (c *Config) list(key string) []any {
	v := c.values[key]
	if v == nil {
		return nil
	}
	list, ok := v.([]any)
	if !ok {
		c.Fail("%s%s: %.80v, want a list", c.where, key, v)
	}
	return list
}

// Objects reads a list of objects, nil where absent. Their faults are the configuration's.
func (c *Config) Objects(key string) []*Config {
	var objects []*Config
	for i, v := range c.list(key) {
		inside := &Config{values: map[string]any{}, where: fmt.Sprintf("%s%s[%d].", c.where, key, i), fault: c.fault}
		if values, ok := v.(map[string]any); ok {
			inside.values = values
		} else {
			c.Fail("%s%s: %.80v, want objects", c.where, key, v)
		}
		objects = append(objects, inside)
	}
	return objects
}

// Section is an object inside the configuration; empty where absent. Its faults are the configuration's.
func (c *Config) Section(key string) *Config {
	inside := &Config{values: map[string]any{}, where: c.where + key + ".", fault: c.fault}
	switch v := c.values[key].(type) {
	case nil:
	case map[string]any:
		inside.values = v
	default:
		c.Fail("%s%s: %.80v, want an object", c.where, key, v)
	}
	return inside
}
