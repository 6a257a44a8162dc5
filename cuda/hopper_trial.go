package cuda

import (
	"context"
	"crypto/sha256"
	"debug/buildinfo"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"
	"time"

	"avssnative/engine/device"
	"avssnative/internal/home"
)

// A kernel that fails while it runs costs its process the GPU: every call of the driver gives that error from then on, in new contexts too. So
// the Hopper product is tried in a process of its own, this program started once more, which is handed the very kernels that are to be loaded
// and ends with a verdict. The verdict is kept in the cache by kernels, kind of GPU and driver version.

// trialVariable is set to a GPU's index in the process that tries the Hopper product there.
const trialVariable = "AVSSNATIVE_CUDA_TRIAL"

// trialTime is how long a trial may take, the driver's start and its compiler included.
const trialTime = 3 * time.Minute

// verdict is what a trial came to.
type verdict struct {
	Same    bool   `json:"same"`              // the bits of product_bf16
	Why     string `json:"why,omitempty"`     // why the product is not to be used; empty: it is
	Refused bool   `json:"refused,omitempty"` // the driver does not take the kernels in this form
	Not     bool   `json:"not,omitempty"`     // it was not tried at all: nothing to remember
	image   string // the kernels that were tried
}

func init() {
	if index, trial := os.LookupEnv(trialVariable); trial {
		i, err := strconv.Atoi(index)
		if err != nil {
			os.Exit(2)
		}
		image, err := io.ReadAll(os.Stdin)
		if err != nil {
			os.Exit(2)
		}
		if err := json.NewEncoder(os.Stdout).Encode(tryOn(i, string(image))); err != nil {
			os.Exit(2)
		}
		os.Exit(0)
	}
}

// tryOn tries the Hopper product in this process, which must do nothing else.
func tryOn(index int, image string) verdict {
	drv, err := openDriver()
	if err != nil {
		return verdict{Why: err.Error(), Not: true}
	}
	d, err := openPlain(drv, index, device.Options{Compute: device.ComputeBF16})
	if err != nil {
		return verdict{Why: err.Error(), Not: true}
	}
	h := &hopper{maps: map[mapped]*tensorMap{}}
	if err := d.bound(func() error { return h.load(d, image) }); err != nil {
		return verdict{Why: err.Error(), Refused: true}
	}
	d.hopper = h
	same, err := d.testHopper()
	if err != nil {
		return verdict{Why: "self-test: " + err.Error()}
	}
	return verdict{Same: same}
}

// verdicts are those of this process, by key.
var verdicts sync.Map

// verdictOn says what the trial of the Hopper product comes to on a GPU, in the first form that its driver takes.
func verdictOn(drv driver, index int, c card) (v verdict) {
	forms, err := imagesOf(hopperSource, c)
	if err != nil {
		return verdict{Why: err.Error(), Not: true}
	}
	for _, image := range forms {
		v = verdictOf(drv, index, c, image)
		if v.image = image; !v.Refused {
			break
		}
	}
	return v
}

// verdictOf is what is remembered of one form of the kernels, or what a process of its own finds out.
func verdictOf(drv driver, index int, c card, image string) verdict {
	key, err := trialKey(drv, c, image)
	if err != nil {
		return verdict{Why: err.Error(), Not: true}
	}
	if v, known := verdicts.Load(key); known {
		return v.(verdict)
	}
	file := verdictFile(key)
	if v, known := readVerdict(file); known {
		verdicts.Store(key, v)
		return v
	}
	v, err := tryApart(index, image)
	if err != nil {
		return verdict{Why: "its trial in a process of its own: " + err.Error(), Not: true}
	}
	if !v.Not {
		verdicts.Store(key, v)
		if err := writeVerdict(file, v); err != nil {
			slog.Debug("cuda: the verdict on the Hopper product is not kept", "error", err)
		}
	}
	return v
}

// trialKey is what a verdict holds for.
func trialKey(drv driver, c card, image string) (string, error) {
	version, err := drv.version()
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("%x", sha256.Sum256(fmt.Appendf(nil, "%s\n%d.%d\n%d\n%s", c.name, c.major, c.minor, version, image)))[:32], nil
}

// tryApart starts this program once more for a trial.
func tryApart(index int, image string) (verdict, error) {
	if os.Getenv(trialVariable) != "" {
		return verdict{}, errors.New("this process is one")
	}
	program, err := thisProgram()
	if err != nil {
		return verdict{}, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), trialTime)
	defer cancel()
	trial := exec.CommandContext(ctx, program)
	trial.Env = append(os.Environ(), trialVariable+"="+strconv.Itoa(index))
	trial.Stdin = strings.NewReader(image)
	said, err := trial.Output()
	switch {
	case ctx.Err() != nil:
		return verdict{}, fmt.Errorf("no end within %v", trialTime)
	case err != nil:
		return verdict{}, err
	}
	var v verdict
	if err := json.Unmarshal(said, &v); err != nil {
		return verdict{}, fmt.Errorf("no verdict: %w", err)
	}
	return v, nil
}

// thisProgram is the program to start for a trial: one that holds this package, and not one that has loaded it as a library.
func thisProgram() (string, error) {
	program, err := os.Executable()
	if err != nil {
		return "", err
	}
	inside, err := buildinfo.ReadFile(program)
	if err != nil {
		return "", fmt.Errorf("%s is no Go program: %w", program, err)
	}
	own, _ := debug.ReadBuildInfo()
	if own == nil || own.Path != inside.Path {
		return "", fmt.Errorf("%s is another program than this", program)
	}
	return program, nil
}

// verdictFile is where a verdict is kept, "" where there is no cache.
func verdictFile(key string) string {
	cache, err := home.Cache()
	if err != nil {
		slog.Debug("cuda: no cache", "error", err)
		return ""
	}
	return filepath.Join(cache, "avssnative", "cuda", "hopper-"+key+".json")
}

func readVerdict(file string) (v verdict, known bool) {
	content, err := os.ReadFile(file)
	if err != nil {
		return v, false
	}
	if err := json.Unmarshal(content, &v); err != nil {
		slog.Debug("cuda: a verdict on the Hopper product that cannot be read", "file", file, "error", err)
		return verdict{}, false
	}
	if v.Why != "" {
		v.Why += fmt.Sprintf(" (remembered in %s)", file)
	}
	return v, true
}

// writeVerdict puts a verdict in its place whole: another process may read it meanwhile.
func writeVerdict(file string, v verdict) error {
	if file == "" {
		return nil
	}
	content, err := json.Marshal(v)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return err
	}
	draft, err := os.CreateTemp(filepath.Dir(file), "hopper-*.new")
	if err != nil {
		return err
	}
	_, err = draft.Write(content)
	if err := errors.Join(err, draft.Close()); err != nil {
		return errors.Join(err, os.Remove(draft.Name()))
	}
	return os.Rename(draft.Name(), file)
}
