package job

// The importance matrix: sums over the inputs of linear layers, of the walk that measures the layers.

import (
	"context"
	"fmt"

	"avssnative/engine/arch"
	"avssnative/failure"
	"avssnative/internal/gguf"
	"avssnative/internal/imatrix"
)

// Weighable says why there is no importance matrix of the model: it must be a GGUF file, whose names the matrix has, and have no experts.
func (j *Job) Weighable() error {
	if j.Model.File == "" {
		return failure.Unsupported.Errorf("job: importance matrix: %s is no .gguf file: the matrix names the tensors of one", j.Report.Model.Ref)
	}
	for l := range j.Model.Spec.Blocks {
		if _, experts := j.Model.Spec.Blocks[l].MLP.(*arch.ExpertsSpec); experts {
			return failure.Unsupported.Errorf("job: importance matrix: layer %d: experts are not counted one by one", l)
		}
	}
	return nil
}

// summing runs a pass; where the device watches, it sums what enters linear layers, anew or on to what it has.
func (j *Job) summing(anew bool, pass func() error) error {
	d, err := j.Model.Device()
	if err != nil {
		return err
	}
	watcher, able := d.(*imatrix.Device)
	if able {
		if anew {
			watcher.Clear()
		}
		watcher.Watch(true)
		defer watcher.Watch(false)
	}
	return pass()
}

// WriteImportance writes the importance matrix of the calibration text.
func (j *Job) WriteImportance(ctx context.Context, path string) error {
	d, err := j.Model.Device()
	if err != nil {
		return err
	}
	watcher, able := d.(*imatrix.Device)
	if !able {
		return fmt.Errorf("job: importance matrix: device %s does not watch", d.Info().Name)
	}
	text := imatrix.Text{Source: j.Report.Calibration.Source, Sequences: len(j.calibration)}
	for _, s := range j.calibration {
		text.Length = max(text.Length, len(s.IDs))
	}
	sums, err := j.inFile(watcher.Sums())
	if err != nil {
		return err
	}
	return imatrix.Write(ctx, path, sums, text)
}

// inFile are sums by the names of the model's file. What one tensor of the file holds for several matrices is summed over all of them, and its rows
// are counted as often: the mean is theirs.
func (j *Job) inFile(sums map[string]*imatrix.Sum) (map[string]*imatrix.Sum, error) {
	views, able := j.Model.Tensors.(interface {
		Origin(name string) (gguf.Tensor, bool)
	})
	named := map[string]*imatrix.Sum{}
	for name, sum := range sums {
		if !able {
			return nil, fmt.Errorf("job: importance matrix: %s: no tensor of a GGUF file", name)
		}
		view, found := views.Origin(name)
		if !found {
			return nil, fmt.Errorf("job: importance matrix: %s: no tensor of %s", name, j.Model.File)
		}
		if named[view.Name] == nil {
			named[view.Name] = &imatrix.Sum{}
		}
		if err := named[view.Name].Add(sum); err != nil {
			return nil, fmt.Errorf("job: importance matrix: %s: %w", view.Name, err)
		}
	}
	return named, nil
}
