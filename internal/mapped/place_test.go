//go:build linux || darwin || freebsd || netbsd || openbsd || dragonfly

package mapped

import (
	"bufio"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// former takes a folder with the file "mine", or a file that says so, for a former output.
func former(path string) error {
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		path = filepath.Join(path, "mine")
	}
	if text, err := os.ReadFile(path); err != nil || string(text) != "mine" {
		return errors.New("not mine")
	}
	return nil
}

func put(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// tree lists what a folder holds, with the text of files.
func tree(t *testing.T, folder string) string {
	t.Helper()
	var all []string
	if err := filepath.WalkDir(folder, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, _ := filepath.Rel(folder, path)
		if entry.Type().IsRegular() {
			text, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			name += "=" + string(text)
		}
		all = append(all, name)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return strings.Join(all[1:], " ")
}

// make writes "new" as the place wants it.
func (p Place) make() error {
	return p.Write(func(path string) error {
		if !p.Folder {
			return os.WriteFile(path, []byte("new"), 0o644)
		}
		if err := os.Mkdir(path, 0o755); err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(path, "mine"), []byte("new"), 0o644)
	})
}

func TestPlaces(t *testing.T) {
	file := Place{Former: former}
	folder := Place{Former: former, Folder: true}
	force := func(p Place) Place { p.Force = true; return p }
	cases := []struct {
		name, path string
		place      Place
		want       string // "" is written
	}{
		{"new file", "new", file, ""},
		{"new folder", "new", folder, ""},
		{"new folder, slash", "new/", folder, ""},
		{"by a link to the parent", "linked/new", file, ""},
		{"long name", strings.Repeat("n", 250), file, ""},
		{"long name of two-byte letters", strings.Repeat("ö", 125), folder, ""},
		{"former file", "former", force(file), ""},
		{"former folder", "formers", force(folder), ""},
		{"empty file", "nothing", force(file), ""},
		{"empty folder", "empty", force(folder), ""},
		{"no name", "", file, "no name"},
		{"a zero byte", "a\x00b", file, "no name that a file can have"},
		{"too long a name", strings.Repeat("n", 256), file, "name too long"},
		{"file with a slash", "new/", file, "want a file's"},
		{"root", "/", force(folder), "the root of the file system"},
		{"no parent", "absent/new", file, "there is no folder"},
		{"parent is a file", "text/new", file, "is no folder"},
		{"file exists", "former", file, "exists already; choose another name or add --force"},
		{"folder exists", "formers", folder, "exists already; choose another name or add --force"},
		{"empty folder exists", "empty", folder, "exists already; choose another name or add --force"},
		{"somebody's file", "text", force(file), "only what this program wrote there before: not mine"},
		{"somebody's folder", "photos", force(folder), "only what this program wrote there before: not mine"},
		{"nothing is former", "text", Place{Force: true}, "holds something else"},
		{"folder for a file", "formers", force(file), "exists already, as a folder; want a file"},
		{"file for a folder", "former", force(folder), "exists already, as a file; want a folder"},
		{"link to a file", "link", force(file), "a link"},
		{"link to a folder", "linked", force(folder), "a link"},
		{"link to nothing", "dangling", force(file), "a link"},
		{"pipe", "pipe", force(file), "a pipe"},
		{"device", "/dev/null", force(file), "a device"},
		{"home", "home/me", force(folder), "the home folder"},
		{"above home", "home", force(folder), "holds the home folder"},
		{"the model", "models/a", force(folder), "what is being read"},
		{"above the model", "models", force(folder), "which is being read"},
		{"the model by another name", "hard", force(file), "what is being read"},
		{"what the model's link leads to", "store/blob", force(file), "what is being read"},
		{"above what the model's link leads to", "store", force(folder), "link leads to, which is being read"},
		{"here", ".", force(folder), "the working folder"},
		{"above here", "..", force(folder), "holds the working folder"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			base := t.TempDir()
			dir := filepath.Join(base, "dir")
			for path, text := range map[string]string{"former": "mine", "formers/mine": "mine", "nothing": "", "text": "thesis", "photos/a": "1",
				"home/me/mine": "mine",
				"models/mine":  "mine", "models/a/mine": "mine", "models/one": "mine", "store/mine": "mine", "store/blob": "mine"} {
				put(t, filepath.Join(dir, path), text)
			}
			err := errors.Join(os.Mkdir(filepath.Join(dir, "empty"), 0o755), os.Symlink("text", filepath.Join(dir, "link")),
				os.Symlink("photos", filepath.Join(dir, "linked")), os.Symlink("../../store/blob", filepath.Join(dir, "models/a/link")), os.Symlink("nowhere",
					filepath.Join(dir, "dangling")),
				syscall.Mkfifo(filepath.Join(dir, "pipe"), 0o644), os.Link(filepath.Join(dir, "models/one"), filepath.Join(dir, "hard")))
			if err != nil {
				t.Fatal(err)
			}
			t.Chdir(dir)
			t.Setenv("HOME", filepath.Join(dir, "home", "me"))
			before := tree(t, base)
			place := c.place
			place.Path, place.Reading = c.path, []string{"models/a", "models/one", "demo"}
			err = place.Check()
			if after := tree(t, base); after != before {
				t.Errorf("the check changed what there is:\n%s\n%s", before, after)
			}
			if c.want == "" {
				if err != nil {
					t.Fatal(err)
				}
				if err := place.make(); err != nil {
					t.Fatal(err)
				}
				name := c.path
				if c.place.Folder {
					name = filepath.Join(c.path, "mine")
				}
				if text, err := os.ReadFile(name); err != nil || string(text) != "new" {
					t.Errorf("%q %v, want new", text, err)
				}
				if strings.Contains(tree(t, base), workshopEnd) {
					t.Errorf("left behind: %s", tree(t, base))
				}
				return
			}
			var refused *Refused
			if !errors.As(err, &refused) || !strings.Contains(err.Error(), c.want) || !strings.HasPrefix(err.Error(), c.path) {
				t.Errorf("error %v, want %s", err, c.want)
			}
			if err := place.make(); err == nil {
				t.Error("written all the same")
			}
			if after := tree(t, base); after != before {
				t.Errorf("the refused writing changed what there is:\n%s\n%s", before, after)
			}
		})
	}
}

func TestUnwritableParent(t *testing.T) {
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o555); err != nil {
		t.Fatal(err)
	}
	if os.WriteFile(filepath.Join(dir, "probe"), nil, 0o644) == nil {
		t.Skip("skipped: this user may write everywhere")
	}
	var refused *Refused
	if err := (Place{Path: filepath.Join(dir, "new")}).Check(); !errors.As(err, &refused) || !errors.Is(err, fs.ErrPermission) {
		t.Errorf("error %v", err)
	}
}

// What appears while an output is made stays, with and without force.
func TestWhatAppearsStays(t *testing.T) {
	for _, folder := range []bool{false, true} {
		for _, force := range []bool{false, true} {
			dir := t.TempDir()
			place := Place{Path: filepath.Join(dir, "x"), Folder: folder, Force: force, Former: former}
			err := place.Write(func(path string) error {
				if folder {
					put(t, filepath.Join(path, "mine"), "new")
					put(t, filepath.Join(place.Path, "theirs"), "2")
				} else {
					put(t, path, "new")
					put(t, place.Path, "theirs")
				}
				return nil
			})
			var refused *Refused
			want := map[bool]string{false: "x=theirs", true: "x x/theirs=2"}[folder]
			if found := tree(t, dir); !errors.As(err, &refused) || found != want {
				t.Errorf("folder %v, force %v: %s, error %v", folder, force, found, err)
			}
		}
	}
}

// The slow ways keep the same promises on this file system, but for the moment between two calls.
func TestSlowRenames(t *testing.T) {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	for _, slash := range []string{"", "/mine"} {
		put(t, at("made"+slash), "new")
		put(t, at("old"+slash), "mine")
		if err := placeSlowly(at("made"), at("old")); !errors.Is(err, fs.ErrExist) {
			t.Errorf("onto what exists: %v", err)
		}
		if err := placeSlowly(at("made"), at("placed")); err != nil {
			t.Error(err)
		}
		if err := replaceSlowly(at("placed"), at("old"), at("aside/old")); err != nil {
			t.Error(err)
		}
		text, err := os.ReadFile(at("old" + slash))
		if _, gone := os.Lstat(at("placed")); string(text) != "new" || err != nil || gone == nil {
			t.Errorf("%q %v, %v", text, err, gone)
		}
		os.RemoveAll(at("old"))
	}
	if text, err := os.ReadFile(at("aside/old/mine")); string(text) != "mine" {
		t.Errorf("the replaced folder holds %q %v", text, err)
	}
}

// making is held so that its lock is not collected with it.
var making *Output

// TestMain is also the program that TestKilled kills: it begins outputs, says so, and waits.
func TestMain(m *testing.M) {
	path := os.Getenv("AVSSNATIVE_TEST_KILLED")
	if path == "" {
		os.Exit(m.Run())
	}
	var err error
	if making, err = (Place{Path: path, Folder: true}).Begin(); err == nil {
		err = os.MkdirAll(filepath.Join(making.Path(), "half"), 0o755)
	}
	if err != nil {
		os.Stdout.WriteString(err.Error() + "\n")
		os.Exit(1)
	}
	os.Stdout.WriteString("ready\n")
	select {}
}

// What a killed run left is cleared by the next run to the same name; what a living one is making, is not.
func TestKilled(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "out")
	left := func() int {
		names, _ := filepath.Glob(filepath.Join(dir, "*"+workshopEnd))
		return len(names)
	}
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	child := exec.Command(program)
	child.Env = append(os.Environ(), "AVSSNATIVE_TEST_KILLED="+path)
	said, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	if line, _ := bufio.NewReader(said).ReadString('\n'); line != "ready\n" {
		t.Fatalf("the program says %q", line)
	}
	place := Place{Path: path, Folder: true}
	if err := place.Check(); err != nil || left() != 1 {
		t.Errorf("beside a living run: %v, %d left", err, left())
	}
	child.Process.Kill()
	child.Wait()
	if left() != 1 {
		t.Errorf("%d left by the killed run, want 1", left())
	}
	if err := (Place{Path: filepath.Join(dir, "ou"), Folder: true}).Check(); err != nil || left() != 1 {
		t.Errorf("another name: %v, %d left, want 1", err, left())
	}
	if err := place.Check(); err != nil || left() != 0 {
		t.Errorf("the same name: %v, %d left", err, left())
	}
}

func TestClearingLeavesOthers(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "out")
	digits := "0123456789abcdef"
	others := []string{".out." + digits + ".incomplete/lock", ".out." + digits + ".incomplete/photos/a", ".out.x.incomplete/lock",
		".out.0123456789abcdeg.incomplete/lock", "out." + digits + ".incomplete", ".out." + digits[1:] + "0.incomplete"}
	for _, name := range others {
		put(t, filepath.Join(dir, name), "x")
	}
	// Cut off between the two renames of a slow replacement, and before there was a lock.
	put(t, filepath.Join(dir, ".out.1123456789abcdef.incomplete/lock"), "")
	put(t, filepath.Join(dir, ".out.1123456789abcdef.incomplete/old/out/mine"), "old")
	put(t, filepath.Join(dir, ".out.1123456789abcdef.incomplete/made/out/mine"), "new")
	if err := os.Mkdir(filepath.Join(dir, ".out.2123456789abcdef.incomplete"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := clearWorkshops(path); err != nil {
		t.Fatal(err)
	}
	for _, name := range others {
		if _, err := os.Stat(filepath.Join(dir, name)); err != nil {
			t.Error(err)
		}
	}
	if text, err := os.ReadFile(filepath.Join(path, "mine")); string(text) != "old" {
		t.Errorf("what was being replaced: %q %v", text, err)
	}
	for _, name := range []string{".out.1123456789abcdef.incomplete", ".out.2123456789abcdef.incomplete"} {
		if _, err := os.Stat(filepath.Join(dir, name)); err == nil {
			t.Errorf("%s is left", name)
		}
	}
}

// Write, which needs no force, replaces files and nothing else.
func TestWriteReplacesOnlyFiles(t *testing.T) {
	dir := t.TempDir()
	pipe, link, folder := filepath.Join(dir, "pipe"), filepath.Join(dir, "link"), filepath.Join(dir, "folder")
	if err := errors.Join(syscall.Mkfifo(pipe, 0o644), os.Symlink("text", link), os.Mkdir(folder, 0o755)); err != nil {
		t.Fatal(err)
	}
	put(t, filepath.Join(dir, "text"), "text")
	before := tree(t, dir)
	for _, path := range []string{pipe, link, folder} {
		if err := WriteBytes(path, []byte("new")); !errors.Is(err, fs.ErrExist) {
			t.Errorf("%s: %v", path, err)
		}
	}
	if after := tree(t, dir); after != before {
		t.Errorf("%s, before %s", after, before)
	}
}

func TestOutputErrors(t *testing.T) {
	dir := t.TempDir()
	place := Place{Path: filepath.Join(dir, "x")}
	if err := place.Write(func(string) error { return nil }); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("nothing made: %v", err)
	}
	if err := place.Write(func(path string) error { return os.Mkdir(path, 0o755) }); err == nil || !strings.Contains(err.Error(), "a folder was made") {
		t.Errorf("a folder for a file: %v", err)
	}
	broken := errors.New("broken")
	if err := place.Write(func(path string) error { put(t, path, "half"); return broken }); err != broken {
		t.Errorf("error %v", err)
	}
	output, err := place.Begin()
	if err != nil {
		t.Fatal(err)
	}
	put(t, output.Path(), "new")
	if err := output.Commit(); err != nil {
		t.Fatal(err)
	}
	if err := output.Commit(); err == nil || !strings.Contains(err.Error(), "already written") {
		t.Errorf("twice: %v", err)
	}
	if err := output.Discard(); err != nil {
		t.Error(err)
	}
	if found := tree(t, dir); found != "x=new" {
		t.Errorf("%s", found)
	}
}

func TestTidy(t *testing.T) {
	dir := t.TempDir()
	living, err := Place{Path: filepath.Join(dir, "living")}.Begin()
	if err != nil {
		t.Fatal(err)
	}
	defer living.Discard()
	put(t, living.Path(), "half")
	for _, name := range []string{".a.0123456789abcdef.incomplete/made/a", ".b.c.0123456789abcdef.incomplete/lock", ".theirs.0123456789abcdef.incomplete/photos/a",
		"whole", ".d", ".incomplete"} {
		put(t, filepath.Join(dir, name), "x")
	}
	put(t, filepath.Join(dir, ".a.0123456789abcdef.incomplete/lock"), "")
	if err := Tidy(dir); err != nil {
		t.Fatal(err)
	}
	left := tree(t, dir)
	for _, word := range []string{"living=half", "photos/a=x", "whole=x", ".d=x", ".incomplete=x"} {
		if !strings.Contains(left, word) {
			t.Errorf("%s is gone: %s", word, left)
		}
	}
	if strings.Contains(left, ".a.") || strings.Contains(left, ".b.c.") {
		t.Errorf("left behind: %s", left)
	}
	if err := Tidy(filepath.Join(dir, "nowhere")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%v", err)
	}
}
