package engine

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"

	"avssnative/engine/arch"
	"avssnative/engine/device"
	"avssnative/engine/weights"
	"avssnative/failure"
)

// A Model is an opened model: its Spec, its mapped weights and the device it runs on. One pass runs at a time; Run waits its turn.
type Model struct {
	Ref     string // what Open was given
	Folder  string // where config.json lies; empty for a single file
	File    string // the single file; empty for a folder
	Spec    *arch.Spec
	Config  *arch.Config
	Tensors weights.Tensors

	options Options
	running sync.Mutex
	devices []device.Device
	linears []int // layers whose attention a repair has put a linear map in the place of
	able    func() error
	mapped  sync.Map // layers whose weights passes have left in memory

	holding  sync.Mutex
	holdings map[device.Device]*holdings // by device; holding keeps the map
}

// Options say how a model shall be opened. The zero value is right.
type Options struct {
	Device string // "auto" where empty; several, as "cuda:0,cuda:1", share the sequences of every pass
	device.Options
}

// Open opens a model: a folder with config.json and safetensors, a .gguf file, or a name that a registered source knows. Nothing is read but
// headers; the device is opened by the first pass, or by Device.
func Open(ctx context.Context, ref string, o Options) (*Model, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	path, err := weights.Resolve(ref)
	if err != nil {
		return nil, err
	}
	files, err := weights.Open(path)
	if err != nil {
		return nil, err
	}
	described, err := arch.Describe(files)
	if err != nil {
		files.Close()
		return nil, err
	}
	m := &Model{Ref: ref, Spec: described.Spec, Config: described.Config, Tensors: described.Tensors, options: o}
	m.able = sync.OnceValue(func() error { return m.Spec.Computable(m.Tensors) })
	if files.GGUF != nil {
		m.File = path
	} else {
		m.Folder = path
	}
	return m, nil
}

// Path is the folder or file that the model lies in.
func (m *Model) Path() string {
	if m.File != "" {
		return m.File
	}
	return m.Folder
}

// Computable says why the model can be copied but not computed with (its weights are of a type, or quantised by a method, that is not
// known here), or nil.
func (m *Model) Computable() error {
	if m.able == nil {
		return nil
	}
	if err := m.able(); err != nil {
		return fmt.Errorf("engine: model %s: %w", m.Ref, err)
	}
	return nil
}

// Layers is the number of blocks.
func (m *Model) Layers() int { return len(m.Spec.Blocks) }

// Has says whether the model has a unit: files may say that a layer lacks its attention or its MLP.
func (m *Model) Has(u Unit) bool {
	b := &m.Spec.Blocks[u.Layer]
	switch u.Part {
	case Attention:
		return b.Mixer != nil
	case MLP:
		return b.MLP != nil
	}
	return b.Mixer != nil || b.MLP != nil
}

// Device is the first device the model runs on; all are opened at the first call.
func (m *Model) Device() (device.Device, error) {
	if len(m.devices) > 0 {
		return m.devices[0], nil
	}
	for _, name := range strings.Split(m.options.Device, ",") {
		d, err := device.Open(strings.TrimSpace(name), m.options.Options)
		if err != nil {
			var old device.Unsupported
			if errors.As(err, &old) {
				err = failure.Unsupported.Of(err)
			} else if errors.Is(err, device.ErrUnknown) {
				err = failure.NotFound.Of(err)
			}
			return nil, errors.Join(err, m.closeDevices())
		}
		m.devices = append(m.devices, d)
	}
	return m.devices[0], nil
}

func (m *Model) closeDevices() error {
	var first error
	for _, d := range m.devices {
		if err := d.Close(); first == nil {
			first = err
		}
	}
	m.devices, m.holdings = nil, nil
	return first
}

// Check is an error that names the file where one of the model's was cut short or changed since it was opened. What computes asks before it
// returns results.
func (m *Model) Check() error {
	if err := m.Tensors.Check(); err != nil {
		return fmt.Errorf("engine: model %s: %w", m.Ref, err)
	}
	return nil
}

// unchanged is what a computation ended in, or what explains it: files that are no longer what they were.
func (m *Model) unchanged(err error) error {
	if changed := m.Check(); changed != nil && !errors.Is(err, context.Canceled) {
		return changed
	}
	return err
}

// Close gives back the devices and the mapped files. The model must not be used after.
func (m *Model) Close() error {
	first := m.closeDevices()
	if err := m.Tensors.Close(); first == nil {
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
	config, err := json.Marshal(m.Config)
	if err != nil {
		panic("engine: a parsed configuration does not marshal: " + err.Error())
	}
	sum.Write(config)
	for _, name := range m.Tensors.Names() {
		stored, _ := m.Tensors.Lookup(name)
		fmt.Fprintf(sum, "\n%s %s %v %d\n", name, stored.Type, stored.Shape, len(stored.Data))
		edge := min(fingerprintEdge, len(stored.Data))
		sum.Write(stored.Data[:edge])
		sum.Write(stored.Data[len(stored.Data)-edge:])
	}
	m.Tensors.Discard(m.Tensors.Names()) // with every page that is touched a system maps its neighbours
	return hex.EncodeToString(sum.Sum(nil))
}
