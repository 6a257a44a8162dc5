package prune

// The files beside the weights that a pruned model needs as they are: the tokenizer and its kin, licenses, the code of a family of its own.

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"avssnative/internal/mapped"
)

// companions are patterns of filepath.Match.
var companions = []string{"generation_config.json", "tokenizer*", "special_tokens_map.json", "added_tokens.json", "vocab*", "merges.txt",
	"*.tiktoken", "spiece.model", "sentencepiece*", "chat_template*", "*processor_config.json", "tekken.json", "LICENSE*", "NOTICE*",
	"configuration_*.py", "modeling_*.py", "tokenization_*.py"}

// isCompanion says whether a file of the name goes along. The card is written anew, so README is not among them, and weights never are.
func isCompanion(name string) bool {
	return !strings.HasSuffix(name, ".safetensors") && slices.ContainsFunc(companions, func(pattern string) bool {
		match, _ := filepath.Match(pattern, name)
		return match
	})
}

// copyCompanions copies them from one folder to another. What is left out, it says: folders, and links that lead nowhere or out of the model.
// A pipe or a device among them is an error, and is not opened.
func copyCompanions(ctx context.Context, from, to string, notice func(format string, values ...any)) error {
	entries, err := os.ReadDir(from)
	if err != nil {
		return err
	}
	root, err := modelRoot(from)
	if err != nil {
		return err
	}
	for _, entry := range entries {
		name := entry.Name()
		if !isCompanion(name) {
			continue
		}
		path, why, err := within(root, filepath.Join(from, name))
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		if why != "" {
			notice("%s was not copied: %s", name, why)
			continue
		}
		if err := copyFile(ctx, path, filepath.Join(to, name)); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return nil
}

// modelRoot is the folder that links of a model's folder may lead into: itself, or of a snapshot in the Hugging Face cache
// (models--ORG--NAME/snapshots/COMMIT, whose files are links into models--ORG--NAME/blobs) that model's own part of the cache.
func modelRoot(folder string) (string, error) {
	folder, err := filepath.EvalSymlinks(folder)
	if err != nil {
		return "", err
	}
	if folder, err = filepath.Abs(folder); err != nil {
		return "", err
	}
	snapshots := filepath.Dir(folder)
	if cache := filepath.Dir(snapshots); filepath.Base(snapshots) == "snapshots" && strings.HasPrefix(filepath.Base(cache), "models--") {
		return cache, nil
	}
	return folder, nil
}

// within resolves a file of the model: to a regular file below root, or to why it is left out. What cannot be copied at all is an error.
func within(root, path string) (resolved, why string, err error) {
	resolved, err = filepath.EvalSymlinks(path)
	if errors.Is(err, fs.ErrNotExist) {
		return "", "it is a link that leads nowhere", nil
	}
	if err == nil {
		resolved, err = filepath.Abs(resolved)
	}
	if err != nil {
		return "", "", err
	}
	if inside, err := filepath.Rel(root, resolved); err != nil || !filepath.IsLocal(inside) {
		return "", "it is a link out of the model's folder", nil
	}
	info, err := os.Lstat(resolved)
	if err == nil && info.IsDir() {
		return "", "it is a folder", nil
	}
	return resolved, "", err
}

// copyFile copies a regular file whole; one that changes its length meanwhile is an error.
func copyFile(ctx context.Context, from, to string) error {
	file, err := mapped.OpenRegular(from)
	if err != nil {
		return err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return err
	}
	return mapped.Write(to, func(w io.Writer) error {
		return mapped.Stream(ctx, w, info.Size(), func(w io.Writer) error {
			_, err := io.Copy(w, file)
			return err
		})
	})
}
