package prune_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"avssnative/engine"
	"avssnative/prune"
)

func link(t testing.TB, leads, path string) {
	t.Helper()
	if err := os.Symlink(leads, path); err != nil {
		t.Skip("no links here: ", err)
	}
}

// Files beside the weights go along where they are the model's own; what is left out is said, and stands in the card.
func TestCompanions(t *testing.T) {
	parent := t.TempDir()
	folder, out := filepath.Join(parent, "model"), filepath.Join(parent, "out")
	if err := os.CopyFS(folder, os.DirFS(architectures+"/llama")); err != nil {
		t.Fatal(err)
	}
	put(t, filepath.Join(parent, "secret"), "secret")
	put(t, filepath.Join(parent, "model-of-others/vocab.txt"), "secret")
	put(t, filepath.Join(folder, "tokenizer.json"), "{}")
	put(t, filepath.Join(folder, "vocab.d/a"), "inside a folder")
	put(t, filepath.Join(folder, "real.txt"), "terms")
	link(t, "../secret", filepath.Join(folder, "LICENSE"))
	link(t, filepath.Join(parent, "secret"), filepath.Join(folder, "LICENSE.absolute"))
	link(t, "../model-of-others/vocab.txt", filepath.Join(folder, "vocab.txt"))
	link(t, "hop", filepath.Join(folder, "NOTICE.hop"))
	link(t, "../secret", filepath.Join(folder, "hop"))
	link(t, "gone", filepath.Join(folder, "NOTICE.gone"))
	link(t, "vocab.d", filepath.Join(folder, "vocab.linked"))
	link(t, "real.txt", filepath.Join(folder, "LICENSE.txt"))
	var notices []string
	err := prune.Write(context.Background(), open(t, folder), engine.Layers(1), out, prune.Options{Notice: func(s string) { notices = append(notices, s) }})
	if err != nil {
		t.Fatal(err)
	}
	written := contents(t, out)
	for path, content := range written {
		if strings.Contains(content, "secret") || strings.Contains(content, "inside a folder") {
			t.Errorf("%s was copied", path)
		}
	}
	if written[out+"/LICENSE.txt"] != "terms" || written[out+"/tokenizer.json"] != "{}" {
		t.Error("what is the model's own was not copied")
	}
	said, card := strings.Join(notices, "\n"), written[out+"/README.md"]
	for _, want := range []string{"LICENSE was not copied: it is a link out of", "LICENSE.absolute was", "vocab.txt was", "NOTICE.hop was",
		"NOTICE.gone was not copied: it is a link that leads nowhere", "vocab.d was not copied: it is a folder", "vocab.linked was not copied: it is a folder"} {
		if !strings.Contains(said, want) || !strings.Contains(card, want) {
			t.Errorf("not said: %s", want)
		}
	}
	if len(notices) != 7 {
		t.Errorf("said: %s", said)
	}
}

// In the Hugging Face cache a model's files are links into the folder of its blobs: these go along, links into another model's do not.
func TestCompanionsInTheCache(t *testing.T) {
	hub := t.TempDir()
	model := filepath.Join(hub, "models--org--name")
	snapshot, out := filepath.Join(model, "snapshots", strings.Repeat("ab", 20)), filepath.Join(t.TempDir(), "out")
	stored := contents(t, architectures+"/llama")
	stored[architectures+"/llama/tokenizer.json"] = "{}"
	if err := os.MkdirAll(snapshot, 0o755); err != nil {
		t.Fatal(err)
	}
	for path, content := range stored {
		if name := filepath.Base(path); content != "a folder" {
			put(t, filepath.Join(model, "blobs", "of-"+name), content)
			link(t, "../../blobs/of-"+name, filepath.Join(snapshot, name))
		}
	}
	put(t, filepath.Join(hub, "models--org--other/blobs/x"), "another's")
	link(t, "../../../models--org--other/blobs/x", filepath.Join(snapshot, "LICENSE"))
	// The snapshot may be named by a link too.
	named := filepath.Join(t.TempDir(), "named")
	link(t, snapshot, named)
	for i, folder := range []string{snapshot, named} {
		out := out + string(rune('a'+i))
		var notices []string
		err := prune.Write(context.Background(), open(t, folder), engine.Layers(1), out, prune.Options{Notice: func(s string) { notices = append(notices, s) }})
		if err != nil {
			t.Fatal(err)
		}
		written := contents(t, out)
		if written[out+"/tokenizer.json"] != "{}" {
			t.Error("the tokenizer was not copied")
		}
		if _, copied := written[out+"/LICENSE"]; copied || len(notices) != 1 || !strings.Contains(notices[0], "LICENSE was not copied") {
			t.Errorf("said: %q", notices)
		}
		if err := prune.Write(context.Background(), open(t, folder), engine.Layers(1), model, prune.Options{Force: true}); err == nil {
			t.Error("the model's part of the cache was replaced")
		}
	}
}
