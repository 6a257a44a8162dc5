package device

import (
	"errors"
	"slices"
	"strings"
	"testing"
)

// shelf is a driver of devices that can be used or not: a nil error is one that opens.
type shelf struct {
	place   int
	listing error
	devices []error
}

func (s shelf) Automatic() int { return s.place }
func (s shelf) List() ([]Info, error) {
	return make([]Info, len(s.devices)), s.listing
}

func (s shelf) Open(index int, o Options) (Device, error) {
	return opened{place: s.place, index: index, notes: o.Notes}, s.devices[index]
}

type opened struct {
	Device
	place, index int
	notes        []string
}

// TestOpenAuto: the best device that can be used is opened; what is there and cannot be used is passed over and named, what is not there is
// not, and any other failure is the caller's.
func TestOpenAuto(t *testing.T) {
	kept := drivers
	defer func() { drivers = kept }()
	old, broken := error(Unsupported{"card too old"}), errors.New("self-test failed")
	plain := shelf{devices: []error{nil}}
	for _, c := range []struct {
		name         string
		cards        shelf
		place, index int
		notes        []string
		fails        string
	}{
		{"a card", shelf{place: 10, devices: []error{nil}}, 10, 0, nil, ""},
		{"no card", shelf{place: 10, listing: errors.New("no driver")}, 0, 0, nil, ""},
		{"an old driver", shelf{place: 10, listing: Unsupported{"driver too old"}}, 0, 0, []string{"not used: driver too old"}, ""},
		{"an old card", shelf{place: 10, devices: []error{old}}, 0, 0, []string{"not used: card too old"}, ""},
		{"an old card and a new one", shelf{place: 10, devices: []error{old, nil}}, 10, 1, []string{"not used: card too old"}, ""},
		{"a broken card", shelf{place: 10, devices: []error{broken}}, 0, 0, nil, "self-test failed"},
		{"never by itself", shelf{place: -1, devices: []error{nil}}, 0, 0, nil, ""},
	} {
		drivers = map[string]Driver{"card": c.cards, "plain": plain}
		d, err := Open("auto", Options{})
		if c.fails != "" {
			if err == nil || !strings.Contains(err.Error(), c.fails) {
				t.Errorf("%s: error %v, want %q", c.name, err, c.fails)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
		} else if got := d.(opened); got.place != c.place || got.index != c.index || !slices.Equal(got.notes, c.notes) {
			t.Errorf("%s: opened %d:%d with notes %q, want %d:%d with %q", c.name, got.place, got.index, got.notes, c.place, c.index, c.notes)
		}
		if len(c.cards.devices) == 0 {
			continue
		}
		if _, err := Open("card:0", Options{}); err != c.cards.devices[0] {
			t.Errorf("%s: by name: error %v, want %v", c.name, err, c.cards.devices[0])
		}
	}
	drivers = map[string]Driver{"card": shelf{place: 10, devices: []error{old}}}
	if _, err := Open("", Options{}); err == nil || !strings.Contains(err.Error(), "no device") || !strings.Contains(err.Error(), "card too old") {
		t.Errorf("error %v, want one that says that there is no device and why", err)
	}
}
