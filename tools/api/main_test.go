package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestCurrent holds the file against the sources: whoever changes what is exported sees it in the same change.
func TestCurrent(t *testing.T) {
	want, err := generate("../..")
	if err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(filepath.Join("../..", file))
	if err != nil {
		t.Fatal(err)
	}
	if difference := cmp.Diff(strings.Split(string(got), "\n"), strings.Split(string(want), "\n")); difference != "" {
		t.Errorf("%s is not what is exported (- the file, + the sources): run go run ./tools/api, and say in CHANGELOG what changed\n%s", file, difference)
	}
}

func TestExported(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.go")
	source := `package x

import "elsewhere"

// Kind is documented.
type Kind int

const (
	First Kind = iota + 1
	Second
	hidden
	Word = "w" + "x"
	Far = elsewhere.Number
)

var Size, small int

var Made = elsewhere.New()

type Pair[A, B any] struct {
	A A
	B, c B ` + "`json:\"b\"`" + `
	elsewhere.Base
	inner
}

type inner struct{ Seen int }

type Shape interface {
	Area(
		scale float64,
	) (square float64, err error)
	elsewhere.Named
	own()
}

type Same = elsewhere.Other

func New(a, b int, more ...string) (*Pair[int, int], error) { return nil, nil }
func (p *Pair[A, B]) Swap() { }
func (p *Pair[A, B]) swap() { }
func (i inner) Exported() { }
`
	if err := os.WriteFile(path, []byte(source), 0o600); err != nil {
		t.Fatal(err)
	}
	got, err := exported([]string{path})
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"type Kind int", "const First Kind = 1", "const Second Kind = 2", `const Word = "wx"`, "const Far = elsewhere.Number", "var Size int", "var Made",
		"type Pair[A, B any] struct", "type Pair[A, B any] struct, A A", "type Pair[A, B any] struct, B B", "type Pair[A, B any] struct, embedded elsewhere.Base",
		"type Shape interface", "type Shape interface, Area( scale float64, ) (square float64, err error)",
		"type Shape interface, embedded elsewhere.Named", "type Same = elsewhere.Other", "func New(a, b int, more ...string) (*Pair[int, int], error)",
		"func (p *Pair[A, B]) Swap()",
	}
	slices.Sort(want)
	if difference := cmp.Diff(got, want); difference != "" {
		t.Error(difference)
	}
	if _, err := exported([]string{filepath.Join(t.TempDir(), "none.go")}); err == nil {
		t.Error("a file that is not there was read")
	}
}

func TestPublicRooms(t *testing.T) {
	for room, want := range map[string]bool{
		"avss": true, "engine/weights/hub": true, "cmd/avssnative/command": true, "cmd/avssnative": false, "internal/job": false,
		"bench/peers/gorgonia": false, "kernels/cpu": false, "tools/api": false, "docs": false,
	} {
		if public(room) != want {
			t.Errorf("%s: public is %v", room, !want)
		}
	}
}
