// Package hub finds models in the Hugging Face cache and puts them there. The cache is the one of the Python library
// (https://huggingface.co/docs/huggingface_hub/guides/manage-cache), folder by folder, so that either finds what the other fetched:
//
//	CACHE/models--ORG--NAME/refs/REVISION          the commit a branch or tag was at
//	                       /snapshots/COMMIT/FILE  a link to ../../blobs/ETAG
//	                       /blobs/ETAG             the content; ETAG.incomplete while it is fetched
//	CACHE/.locks/models--ORG--NAME/ETAG.lock       held by who fetches that blob
package hub

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"avssnative/internal/home"
	"avssnative/internal/mapped"
)

// ErrAbsent is what Find's error wraps where the cache does not hold the model, or not all of it.
var ErrAbsent = errors.New("not in the Hugging Face cache")

// Options says where models come from. What is left empty is taken from the environment, as the Python library does.
type Options struct {
	Cache    string         // folder; else HF_HUB_CACHE, $HF_HOME/hub, $XDG_CACHE_HOME/huggingface/hub, ~/.cache/huggingface/hub
	Endpoint string         // address; else HF_ENDPOINT, https://huggingface.co
	Token    string         // sent to Endpoint's host alone; else HF_TOKEN
	Offline  bool           // never ask the network; also where HF_HUB_OFFLINE is 1, on, yes or true
	Timeout  time.Duration  // without a byte from the server, after which Pull tries anew, and then gives up; 0: DefaultTimeout
	Client   *http.Client   // nil means one that waits for a connection as long as DefaultConnect; its CheckRedirect is not used
	Progress func(Progress) // called now and then by the goroutine that called Pull
}

// DefaultTimeout is how long a server may send nothing, unless told otherwise; DefaultConnect how long it may take to be reached.
const (
	DefaultTimeout = 30 * time.Second
	DefaultConnect = 10 * time.Second
)

// Progress is how far Pull is with one file.
type Progress struct {
	File       string
	Done, Size int64 // bytes
}

func (o Options) filled() (Options, error) {
	if o.Cache == "" {
		var err error
		if o.Cache, err = cacheFolder(); err != nil {
			return o, err
		}
	}
	if o.Endpoint == "" {
		o.Endpoint = os.Getenv("HF_ENDPOINT")
	}
	if o.Endpoint == "" {
		o.Endpoint = "https://huggingface.co"
	}
	o.Endpoint = strings.TrimRight(o.Endpoint, "/")
	if o.Token == "" {
		o.Token = strings.TrimSpace(os.Getenv("HF_TOKEN"))
	}
	o.Offline = o.Offline || slices.Contains([]string{"1", "ON", "YES", "TRUE"}, strings.ToUpper(os.Getenv("HF_HUB_OFFLINE")))
	return o, nil
}

func cacheFolder() (string, error) {
	for _, place := range []struct{ variable, below string }{
		{"HF_HUB_CACHE", "."}, {"HF_HOME", "hub"}, {"XDG_CACHE_HOME", "huggingface/hub"},
	} {
		folder, err := home.Folder(place.variable)
		if err != nil {
			return "", fmt.Errorf("hub: %w", err)
		}
		if folder != "" {
			return filepath.Join(folder, filepath.FromSlash(place.below)), nil
		}
	}
	folder, err := home.User()
	if err != nil {
		return "", fmt.Errorf("hub: no cache folder, set HF_HUB_CACHE: %w", err)
	}
	return filepath.Join(folder, ".cache", "huggingface", "hub"), nil
}

// Name is a model's name on the hub with its revision: a branch, a tag or a commit.
type Name struct {
	Repository, Revision string
	dataset              bool // a data set's, not a model's
}

var (
	part     = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9._-]*$`)
	revision = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9._/+-]*$`)
	commit   = regexp.MustCompile(`^[0-9a-f]{40}$`)
)

// Parse splits org/name or name, with @revision or without (then main).
func Parse(ref string) (Name, error) {
	repository, rev, given := strings.Cut(ref, "@")
	if !given {
		rev = "main"
	}
	parts := strings.Split(repository, "/")
	fits := len(parts) <= 2 && len(ref) <= 300 && revision.MatchString(rev) && filepath.IsLocal(rev) && !strings.Contains(rev, "..") &&
		!strings.Contains(rev, "//")
	for _, p := range parts {
		fits = fits && part.MatchString(p) && !strings.Contains(p, "--") && !strings.Contains(p, "..")
	}
	if !fits {
		return Name{}, fmt.Errorf("hub: %.100q is no model name, want org/name or org/name@revision", ref)
	}
	return Name{Repository: repository, Revision: rev}, nil
}

// String returns org/name@revision.
func (n Name) String() string { return n.Repository + "@" + n.Revision }

func (n Name) folder() string { return n.kind() + "--" + strings.ReplaceAll(n.Repository, "/", "--") }

// kind is the hub's word for what the name is of.
func (n Name) kind() string {
	if n.dataset {
		return "datasets"
	}
	return "models"
}

// Find returns the folder of a model that the cache holds whole: config.json and all weights. It asks no network. Where the model or a
// part of it is missing, errors.Is(err, ErrAbsent).
func Find(ref string, o Options) (dir string, err error) {
	name, err := Parse(ref)
	if err != nil {
		return "", err
	}
	if o, err = o.filled(); err != nil {
		return "", err
	}
	return find(name, o)
}

func find(name Name, o Options) (string, error) {
	dir, err := snapshot(name, o)
	if err != nil {
		return "", err
	}
	files, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return "", fmt.Errorf("hub: %s: %w", name, err)
	}
	var names []string
	for _, file := range files {
		if _, err := os.Stat(filepath.Join(dir, file.Name())); err == nil { // a link whose blob is gone does not count
			names = append(names, file.Name())
		}
	}
	want := []string{"config.json", single}
	if !slices.Contains(names, single) && slices.Contains(names, index) {
		text, err := mapped.ReadSmall(filepath.Join(dir, index), maxListing)
		if err != nil {
			return "", fmt.Errorf("hub: %s: %w", name, err)
		}
		if want, err = shards(text); err != nil {
			return "", fmt.Errorf("hub: %s: %s: %w", name, index, err)
		}
		want = append(want, "config.json")
	}
	for _, file := range want {
		if !slices.Contains(names, file) {
			return "", fmt.Errorf("hub: %s: %s: %w (%s)", name, file, ErrAbsent, dir)
		}
	}
	return dir, nil
}

// snapshot is the folder of a name's files in the cache, as its ref says.
func snapshot(name Name, o Options) (string, error) {
	repository := filepath.Join(o.Cache, name.folder())
	sha := name.Revision
	if !commit.MatchString(sha) {
		text, err := mapped.ReadSmall(filepath.Join(repository, "refs", filepath.FromSlash(name.Revision)), 1<<10)
		if errors.Is(err, os.ErrNotExist) {
			return "", fmt.Errorf("hub: %s: %w (%s)", name, ErrAbsent, o.Cache)
		}
		if err != nil {
			return "", fmt.Errorf("hub: %s: %w", name, err)
		}
		if sha = strings.TrimSpace(string(text)); !commit.MatchString(sha) {
			return "", fmt.Errorf("hub: %s: the cache's ref holds %.60q, want a commit", name, sha)
		}
	}
	return filepath.Join(repository, "snapshots", sha), nil
}

const (
	single = "model.safetensors"
	index  = "model.safetensors.index.json"

	maxListing   = 100 << 20 // bytes of an index or a listing
	maxCompanion = 256 << 20 // bytes of a file beside the weights
	maxShards    = 1 << 12
)

// shards returns the file names an index speaks of, each once, in order.
func shards(text []byte) ([]string, error) {
	var parsed struct {
		WeightMap map[string]string `json:"weight_map"`
	}
	if err := json.Unmarshal(text, &parsed); err != nil {
		return nil, err
	}
	var names []string
	for _, file := range parsed.WeightMap {
		if !plain(file) || !strings.HasSuffix(file, ".safetensors") {
			return nil, fmt.Errorf("shard %.100q is no plain name of a safetensors file", file)
		}
		names = append(names, file)
	}
	if len(names) == 0 {
		return nil, errors.New("weight_map is empty")
	}
	slices.Sort(names)
	if names = slices.Compact(names); len(names) > maxShards {
		return nil, fmt.Errorf("%d shards, want at most %d", len(names), maxShards)
	}
	return names, nil
}

// plain tells whether a name is that of a file in the same folder, on any system.
func plain(name string) bool {
	return part.MatchString(name) && filepath.IsLocal(name) && len(name) <= 200
}

var errLong = errors.New("more than")

func readAtMost(r io.Reader, most int64) ([]byte, error) {
	text, err := io.ReadAll(io.LimitReader(r, most+1))
	if err == nil && int64(len(text)) > most {
		err = fmt.Errorf("%w %d bytes", errLong, most)
	}
	return text, err
}
