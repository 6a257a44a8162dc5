package prune

import (
	"encoding/json"
	"fmt"
	"maps"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"

	"avssnative/engine"
	"avssnative/internal/mapped"
)

// mergekitHead begins a configuration that was written here. By it Write knows its own files again.
const mergekitHead = "# avssnative: "

// writeMergekit writes a passthrough configuration of mergekit: the runs of layers that stay. Of a model within another, its language model
// is one of mergekit's modules; the others stay whole.
func writeMergekit(m *engine.Model, drop engine.Drop, path string, o Options) error {
	stay := drop.Without(m.Layers())
	by, err := uncut(m, stay)
	if err != nil {
		return err
	}
	model, err := mergekitModel(m)
	if err != nil {
		return err
	}
	var text strings.Builder
	fmt.Fprintf(&text, "%slayers %s of %d are left out\n", mergekitHead, drop, m.Layers())
	for _, line := range by {
		fmt.Fprintf(&text, "# mergekit does not cut this, and may stop at it; set it in the config.json that it writes: %s\n", line)
		o.notice("mergekit does not cut what a configuration says layer by layer, and on transformers 5 stops at a list that is too long; "+
			"write hf instead, or set it in the config.json that it writes: %s", line)
	}
	indent := ""
	if m.Spec.Within != "" {
		indent = "    "
		text.WriteString("modules:\n")
		for _, module := range wholeModules(m) {
			fmt.Fprintf(&text, "  %s:\n    models:\n      - model: %s\n", module, model)
		}
		text.WriteString("  text_decoder:\n")
	}
	fmt.Fprintf(&text, "%sslices:\n", indent)
	for _, run := range runs(stay) {
		fmt.Fprintf(&text, "%s  - sources:\n%s      - model: %s\n%s        layer_range: [%d, %d]\n", indent, indent, model, indent, run[0], run[1])
	}
	text.WriteString("merge_method: passthrough\n")
	if dtype := m.Config.StringOr("dtype|torch_dtype", ""); dtypeName.MatchString(dtype) {
		fmt.Fprintf(&text, "dtype: %s\n", dtype)
	}
	return mapped.WriteBytes(path, []byte(text.String()))
}

var dtypeName = regexp.MustCompile(`^[a-z]+[0-9]+$`)

// hubName is a model's name in the Hugging Face cache, which mergekit finds too; anything else is a folder.
var hubName = regexp.MustCompile(`^[\w.-]+/[\w.-]+(@[\w.-]+)?$`)

// mergekitModel names the model in YAML. A string is taken apart at + and @, so that a folder stands in a field of its own.
func mergekitModel(m *engine.Model) (string, error) {
	if m.Ref != m.Folder && hubName.MatchString(m.Ref) {
		return m.Ref, nil
	}
	folder, err := filepath.Abs(m.Folder)
	if err != nil {
		return "", err
	}
	quoted, err := json.Marshal(folder) // a string of JSON is one of YAML
	if err != nil {
		return "", err
	}
	if strings.ContainsAny(folder, "+@") {
		return fmt.Sprintf("{model: {path: %s}}", quoted), nil
	}
	return string(quoted), nil
}

// wholeModules are mergekit's names of what a model consists of beside its language model.
func wholeModules(m *engine.Model) []string {
	tower := "vision_tower"
	if strings.HasPrefix(m.Spec.Family, "llama4") {
		tower = "vision_model"
	}
	return []string{"multi_modal_projector", tower}
}

// uncut lists the fields of the configuration, as JSON, that follow which layers stay, beside their number, which mergekit sets.
func uncut(m *engine.Model, stay []int) ([]string, error) {
	dense, err := m.ShortConfig(engine.Drop(nil).Without(m.Layers()))
	if err != nil {
		return nil, err
	}
	pruned, err := m.ShortConfig(stay)
	if err != nil {
		return nil, err
	}
	prefix := ""
	if inside, ok := pruned[m.Spec.Within].(map[string]any); ok {
		prefix, pruned = m.Spec.Within+".", inside
		dense, _ = dense[m.Spec.Within].(map[string]any)
	}
	var all []string
	for _, key := range slices.Sorted(maps.Keys(pruned)) {
		value := pruned[key]
		if reflect.DeepEqual(value, dense[key]) || reflect.DeepEqual(value, any(len(stay))) {
			continue
		}
		text, err := json.Marshal(value)
		if err != nil {
			return nil, err
		}
		all = append(all, fmt.Sprintf("%s%s: %s", prefix, key, text))
	}
	return all, nil
}

// runs joins neighbouring layers: [first, end) of each run.
func runs(layers []int) [][2]int {
	var all [][2]int
	for _, layer := range layers {
		if n := len(all); n > 0 && all[n-1][1] == layer {
			all[n-1][1]++
		} else {
			all = append(all, [2]int{layer, layer + 1})
		}
	}
	return all
}
