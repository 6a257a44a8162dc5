package engine

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"avssnative/failure"
)

// Part is what of a layer goes: all of it, or one of its two halves.
type Part uint8

const (
	Layer     Part = iota // mixer and MLP
	Attention             // the mixer (attention and its kin) alone: the block is y = x + mlp(x)
	MLP                   // the MLP alone: the block is y = x + mixer(x)
	parts
	none = parts // nothing of the layer goes
)

// String is how a part is written behind a layer's number.
func (p Part) String() string { return [...]string{"", "attn", "mlp", "none"}[p] }

// Unit is a layer, its attention, or its MLP.
type Unit struct {
	Layer int
	Part  Part
}

// String is the unit as a person types it: 7, 7.attn or 7.mlp.
func (u Unit) String() string {
	if u.Part == Layer {
		return strconv.Itoa(u.Layer)
	}
	return strconv.Itoa(u.Layer) + "." + u.Part.String()
}

// Drop is the set of units that a variant leaves out, ascending by layer, at most one a layer; nil is the dense model. Its text form is
// 3,7.attn,11.mlp.
type Drop []Unit

// Half is the half of a layer that has a number where halves are counted: 2l is the attention of layer l, 2l+1 its MLP.
func Half(number int) Unit { return Unit{number / 2, [...]Part{Attention, MLP}[number%2]} }

// Halves is the set of halves with these numbers.
func Halves(numbers ...int) Drop {
	units := make([]Unit, len(numbers))
	for i, n := range numbers {
		units[i] = Half(n)
	}
	return Units(units...)
}

// Numbers lists the halves that go, ascending, by their numbers.
func (d Drop) Numbers() []int {
	var numbers []int
	for _, u := range d {
		if u.Part != MLP {
			numbers = append(numbers, 2*u.Layer)
		}
		if u.Part != Attention {
			numbers = append(numbers, 2*u.Layer+1)
		}
	}
	return numbers
}

// Layers is the set of whole layers, in the order given.
func Layers(layers ...int) Drop {
	d := make(Drop, len(layers))
	for i, l := range layers {
		d[i] = Unit{Layer: l}
	}
	return d
}

// Units is the set of some units in its one form: ascending, each once, both halves of a layer joined to the layer.
func Units(units ...Unit) Drop {
	sorted := slices.Clone(units)
	slices.SortFunc(sorted, func(a, b Unit) int { return cmp.Or(a.Layer-b.Layer, int(a.Part)-int(b.Part)) })
	var d Drop
	for _, u := range sorted {
		last := len(d) - 1
		switch {
		case last < 0 || d[last].Layer != u.Layer:
			d = append(d, u)
		case d[last].Part != u.Part && d[last].Part != Layer:
			d[last].Part = Layer
		}
	}
	return d
}

// ParseDrop reads the text form.
func ParseDrop(text string) (Drop, error) {
	if strings.TrimSpace(text) == "" {
		return nil, nil
	}
	var units []Unit
	for _, word := range strings.Split(text, ",") {
		number, part, halved := strings.Cut(strings.TrimSpace(word), ".")
		layer, err := strconv.Atoi(number)
		if err != nil || layer < 0 || layer > 1<<20 {
			return nil, fmt.Errorf("engine: %.40q: %.20q is no layer's number", text, word)
		}
		u := Unit{Layer: layer}
		switch {
		case halved && part == Attention.String():
			u.Part = Attention
		case halved && part == MLP.String():
			u.Part = MLP
		case halved:
			return nil, fmt.Errorf("engine: %.40q: %.20q is no part of a layer; known: attn, mlp", text, part)
		}
		units = append(units, u)
	}
	return Units(units...), nil
}

// String is the text form.
func (d Drop) String() string {
	words := make([]string, len(d))
	for i, u := range d {
		words[i] = u.String()
	}
	return strings.Join(words, ",")
}

// Layers lists the layers that go whole, ascending.
func (d Drop) Layers() []int {
	var layers []int
	for _, u := range d {
		if u.Part == Layer {
			layers = append(layers, u.Layer)
		}
	}
	return layers
}

// Whole says whether nothing but whole layers go.
func (d Drop) Whole() bool {
	return !slices.ContainsFunc(d, func(u Unit) bool { return u.Part != Layer })
}

// Without lists those of so many layers of which something stays, ascending.
func (d Drop) Without(layers int) []int {
	var kept []int
	for l := range layers {
		if d.of(l) != Layer {
			kept = append(kept, l)
		}
	}
	return kept
}

// Has says whether a unit goes, by itself or with its layer.
func (d Drop) Has(u Unit) bool {
	p := d.of(u.Layer)
	return p != none && (p == Layer || p == u.Part)
}

// of is what of a layer goes.
func (d Drop) of(layer int) Part {
	for _, u := range d {
		if u.Layer == layer {
			return u.Part
		}
	}
	return none
}

// check says what is wrong with a set for a model of so many layers: it must be in its one form and leave something of a layer.
func (d Drop) check(layers int) error {
	for i, u := range d {
		switch {
		case u.Layer < 0 || u.Layer >= layers:
			return failure.NotFound.Errorf("drops layer %d: the model has layers 0 to %d", u.Layer, layers-1)
		case u.Part >= parts:
			return fmt.Errorf("drops part %d of layer %d: a layer has attention and MLP", u.Part, u.Layer)
		case i > 0 && u.Layer <= d[i-1].Layer:
			return fmt.Errorf("drops %s: layers must ascend", d)
		}
	}
	if len(d.Layers()) == layers {
		return fmt.Errorf("drops all %d layers: at least one must stay", layers)
	}
	return nil
}
