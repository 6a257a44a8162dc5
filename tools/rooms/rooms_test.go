package main

import (
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const root = "../.."

func TestDoorsAreShut(t *testing.T) {
	imports, err := list(root)
	if err != nil {
		t.Fatal(err)
	}
	for _, door := range openDoors(imports) {
		t.Error(door)
	}
	for room := range allowed {
		if _, there := imports[room]; !there {
			t.Errorf("doors.go speaks of a room that is not there: %s", room)
		}
	}
	if open := openDoors(map[string][]string{"engine/device": {"engine"}, "prune": {"bench"}, "tools/x": {"cmd/avssnative"}}); len(open) != 3 {
		t.Errorf("of three open doors were seen: %q", open)
	}
}

func TestLightRoomsStayLight(t *testing.T) {
	for room, packages := range heavy {
		command := exec.Command("go", "list", "-deps", "./"+room)
		command.Dir = root
		out, err := command.Output()
		if err != nil {
			t.Fatal(err)
		}
		for _, dependency := range strings.Fields(string(out)) {
			if slices.Contains(packages, dependency) || strings.HasPrefix(dependency, module+"/internal/demo") || strings.HasPrefix(dependency,
				module+"/internal/hub") {
				t.Errorf("%s brings %s", room, dependency)
			}
		}
	}
}

func TestPictureIsCurrent(t *testing.T) {
	text, picture, err := both(root)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(text, begin+"\n"+picture+end) {
		t.Error("the picture of the rooms is out of date: go run ./tools/rooms")
	}
}
