package engine

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
)

// A Model is an opened model: its Spec, its mapped weights and the device it runs on. One pass runs at a time; Run waits its turn.
type Model struct {
	Ref    string // what Open was given
	Folder string // where config.json lies; empty for a single file
	File   string // the single file; empty for a folder
	Spec   *Spec
	Config *Config
	Source Source

	options Options
	running sync.Mutex
	device  Device
}

// Options say how a model shall be opened. The zero value is right.
type Options struct {
	Device string // "auto" where empty
	DeviceOptions
}

// Open opens a model: a folder with config.json and safetensors, or what a registered opener knows (a .gguf file, a name in the local
// cache, "demo"). Nothing is read but headers; the device is opened by the first pass, or by Device.
func Open(ctx context.Context, ref string, o Options) (*Model, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	path, err := Resolve(ref)
	if err != nil {
		return nil, err
	}
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("engine: model %s: %w", ref, err)
	}
	open := openFolder
	if !info.IsDir() {
		open = openFile
	}
	m, err := open(path, o)
	if err != nil {
		return nil, err
	}
	m.Ref = ref
	return m, nil
}

func openFolder(folder string, o Options) (*Model, error) {
	data, err := os.ReadFile(filepath.Join(folder, "config.json"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("engine: model %s: no config.json in this folder; give a folder with config.json and *.safetensors, or a .gguf file", folder)
	}
	if err != nil {
		return nil, fmt.Errorf("engine: model %s: %w", folder, err)
	}
	config, err := ParseConfig(data)
	if err != nil {
		return nil, fmt.Errorf("engine: model %s: %w", folder, err)
	}
	source, err := openSafetensors(folder)
	if err != nil {
		return nil, err
	}
	m, err := newModel(folder, config, source, o)
	if err != nil {
		source.Close()
		return nil, err
	}
	m.Folder = folder
	return m, nil
}

// newModel builds and checks the Spec of a configuration over the tensors of a source.
func newModel(ref string, config *Config, source Source, o Options) (*Model, error) {
	spec, err := BuildSpec(config, source)
	if err != nil {
		return nil, fmt.Errorf("%w (model %s)", err, ref)
	}
	return &Model{Ref: ref, Spec: spec, Config: config, Source: source, options: o}, nil
}

// BuildSpec turns a configuration into a Spec and holds it against the stored tensors.
func BuildSpec(config *Config, source Source) (*Spec, error) {
	family, err := ArchitectureOf(config)
	if err != nil {
		return nil, err
	}
	b := &Builder{Config: config, source: source}
	spec := family.Build(b)
	if err := config.Err(); err != nil {
		return nil, err
	}
	spec.Family = config.StringOr("model_type", "")
	if err := spec.check(source); err != nil {
		return nil, err
	}
	return spec, nil
}

// Layers is the number of blocks.
func (m *Model) Layers() int { return len(m.Spec.Blocks) }

// Device is the device the model runs on; it is opened at the first call.
func (m *Model) Device() (Device, error) {
	if m.device == nil {
		d, err := OpenDevice(m.options.Device, m.options.DeviceOptions)
		if err != nil {
			return nil, err
		}
		m.device = d
	}
	return m.device, nil
}

// Close gives back the device and the mapped files. The model must not be used after.
func (m *Model) Close() error {
	var first error
	if m.device != nil {
		first = m.device.Close()
	}
	if err := m.Source.Close(); first == nil {
		first = err
	}
	return first
}

// fingerprintEdge is how many bytes at either end of a tensor go into a fingerprint.
const fingerprintEdge = 4096

// Fingerprint tells models apart without reading them whole: a sha256 over the configuration and every tensor's name, type, shape, and first
// and last 4096 bytes. Training changes every tensor everywhere, so another model of the same shape has another fingerprint.
func (m *Model) Fingerprint() string {
	sum := sha256.New()
	config, err := json.Marshal(m.Config.values)
	if err != nil {
		panic("engine: a parsed configuration does not marshal: " + err.Error())
	}
	sum.Write(config)
	for _, name := range m.Source.Names() {
		stored, _ := m.Source.Lookup(name)
		fmt.Fprintf(sum, "\n%s %s %v %d\n", name, stored.Type, stored.Shape, len(stored.Data))
		edge := min(fingerprintEdge, len(stored.Data))
		sum.Write(stored.Data[:edge])
		sum.Write(stored.Data[len(stored.Data)-edge:])
	}
	return hex.EncodeToString(sum.Sum(nil))
}
