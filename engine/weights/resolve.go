package weights

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"slices"
	"strings"

	"avssnative/failure"
)

// A Source finds the files of models that are asked for by name. Packages register theirs in init, and programs import them for that:
// avssnative/engine/weights/demo, avssnative/engine/weights/hub.
type Source interface {
	// Known says whether a reference has the form of this source's names.
	Known(ref string) bool
	// Find gives the folder or file of a reference whose form is known.
	Find(ref string) (path string, err error)
	// Form shows what its names look like, as "org/name".
	Form() string
}

var sources = map[string]Source{}

// RegisterSource makes a way of finding models known.
func RegisterSource(name string, l Source) {
	if sources[name] != nil {
		panic("weights: two sources " + name)
	}
	sources[name] = l
}

// Resolve finds the folder or file that a model reference means: what stands under that path, or else what a registered source finds.
func Resolve(ref string) (string, error) {
	_, err := os.Stat(ref)
	if err == nil {
		return ref, nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("weights: model %s: %w", ref, err)
	}
	names := slices.Sorted(maps.Keys(sources))
	var forms []string
	for _, name := range names {
		if l := sources[name]; l.Known(ref) {
			path, err := l.Find(ref)
			if err != nil {
				return "", failure.NotFound.Unless(fmt.Errorf("weights: model %s: no such folder or file; as a name: %w", ref, err))
			}
			return path, nil
		}
		forms = append(forms, sources[name].Form())
	}
	if len(forms) == 0 {
		return "", failure.NotFound.Errorf("weights: model %s: no such folder or file", ref)
	}
	return "", failure.NotFound.Errorf("weights: model %s: no such folder or file, and no name of a model (%s)", ref, strings.Join(forms, ", "))
}
