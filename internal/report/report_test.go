package report

import (
	"bytes"
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestRoundTrip(t *testing.T) {
	for _, r := range []*Report{sample(6), sample(1), {Schema: Schema}} {
		data, err := r.JSON()
		if err != nil {
			t.Fatal(err)
		}
		again, err := Parse(data)
		if err != nil {
			t.Fatal(err)
		}
		if diff := same(r, again); diff != "" {
			t.Error(diff)
		}
		second, err := again.JSON()
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(data), string(second)); diff != "" {
			t.Error(diff)
		}
	}
}

// Tasks and phases keep their order, and phases are an object of seconds.
func TestOrder(t *testing.T) {
	data, err := sample(4).JSON()
	if err != nil {
		t.Fatal(err)
	}
	if zeta, alpha := bytes.Index(data, []byte(`"zeta": {`)), bytes.Index(data, []byte(`"alpha": {`)); zeta < 0 || alpha < zeta {
		t.Errorf("tasks zeta at %d, alpha at %d", zeta, alpha)
	}
	var plain struct {
		Speed      struct{ Seconds map[string]float64 }
		Generation []any
	}
	if err := json.Unmarshal(data, &plain); err != nil || plain.Speed.Seconds["judging"] != 2 {
		t.Errorf("seconds %v, %v", plain.Speed.Seconds, err)
	}
	p := Phases{{"a", 1}}
	p.Add("b", 2)
	p.Add("a", 3)
	if diff := cmp.Diff(Phases{{"a", 4}, {"b", 2}}, p); diff != "" {
		t.Error(diff)
	}
	empty, err := (&Report{Schema: Schema}).JSON()
	if err != nil || !bytes.Contains(empty, []byte(`"generation": []`)) || !bytes.Contains(empty, []byte(`"references": []`)) {
		t.Errorf("%s, %v", empty, err)
	}
}

// A newer program may have written more.
func TestUnknownFieldsAreTolerated(t *testing.T) {
	data, err := sample(4).JSON()
	if err != nil {
		t.Fatal(err)
	}
	more := bytes.Replace(data, []byte(`"schema": 1,`), []byte(`"schema": 1, "moon": {"phase": [1, 2]},`), 1)
	more = bytes.Replace(more, []byte(`"hidden": 8,`), []byte(`"hidden": 8, "spin": "up",`), 1)
	r, err := Parse(more)
	if err != nil {
		t.Fatal(err)
	}
	if diff := same(sample(4), r); diff != "" {
		t.Error(diff)
	}
}
