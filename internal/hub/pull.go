package hub

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"avssnative/internal/mapped"
)

// Pull brings what a model needs into the cache and returns its folder: configurations, tokenizer files, safetensors and their index.
// Pickled weights are never fetched. What is there already is not fetched again; sizes and hashes are checked. What a Pull that failed, or was
// killed, had begun is resumed by the next, and what else it left is cleared; one whose context ends leaves nothing that is incomplete.
// The revision's ref is written last, so an interrupted Pull does not change what Find finds. Offline it is the same as Find.
func Pull(ctx context.Context, ref string, o Options) (dir string, err error) {
	name, err := Parse(ref)
	if err != nil {
		return "", err
	}
	if o, err = o.filled(); err != nil {
		return "", err
	}
	if o.Offline {
		return find(name, o)
	}
	p, err := newPuller(name, o)
	if err != nil {
		return "", err
	}
	if dir, err = p.pull(ctx); err != nil {
		return "", fmt.Errorf("hub: %s: %w", name, err)
	}
	return dir, nil
}

// puller is one Pull.
type puller struct {
	Options
	name       Name
	client     *http.Client
	endpoint   *url.URL
	repository string // folder in the cache
	commit     string

	attempts int           // in a row without a byte, of which the server may be silent in two
	pause    time.Duration // after the first failed attempt, doubled after each further one
	stall    time.Duration // without a byte, after which a connection counts as lost
}

func newPuller(name Name, o Options) (*puller, error) {
	endpoint, err := url.Parse(o.Endpoint)
	if err != nil || endpoint.Host == "" || endpoint.Scheme != "http" && endpoint.Scheme != "https" {
		return nil, fmt.Errorf("hub: HF_ENDPOINT %.100q is no http or https address", o.Endpoint)
	}
	if o.Timeout < 0 {
		return nil, fmt.Errorf("hub: a time-out of %v: want 0 or more", o.Timeout)
	}
	if o.Timeout == 0 {
		o.Timeout = DefaultTimeout
	}
	client := &http.Client{}
	if o.Client != nil {
		*client = *o.Client
	} else {
		transport := &http.Transport{}
		if usual, ok := http.DefaultTransport.(*http.Transport); ok {
			transport = usual.Clone()
		}
		transport.DialContext = (&net.Dialer{Timeout: min(DefaultConnect, o.Timeout)}).DialContext
		client.Transport = transport
	}
	// Redirects are followed by hand, to decide where the token goes.
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &puller{Options: o, name: name, client: client, endpoint: endpoint, repository: filepath.Join(o.Cache, name.folder()),
		attempts: 5, pause: time.Second, stall: o.Timeout}, nil
}

func (p *puller) pull(ctx context.Context) (string, error) {
	files, err := p.listing(ctx)
	if err != nil {
		return "", err
	}
	wanted, err := needed(files)
	if err != nil {
		return "", err
	}
	snapshot := filepath.Join(p.repository, "snapshots", p.commit)
	for _, folder := range []string{snapshot, filepath.Dir(p.ref())} {
		clearLeftovers(folder)
	}
	fetch := func(file string) error {
		if err := p.file(ctx, snapshot, file); err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}
		return nil
	}
	for _, file := range wanted {
		if err := fetch(file); err != nil {
			return "", err
		}
	}
	if slices.Contains(wanted, index) {
		text, err := mapped.ReadSmall(filepath.Join(snapshot, index), maxListing)
		if err != nil {
			return "", err
		}
		names, err := shards(text)
		if err != nil {
			return "", fmt.Errorf("%s: %w", index, err)
		}
		for _, file := range names {
			if err := fetch(file); err != nil {
				return "", err
			}
		}
	}
	if p.name.Revision != p.commit {
		if err := p.writeRef(); err != nil {
			return "", err
		}
	}
	return snapshot, nil
}

// listing asks for the names of the revision's files and sets the commit it is at.
func (p *puller) listing(ctx context.Context) ([]string, error) {
	address := p.endpoint.JoinPath("api", p.name.kind(), p.name.Repository, "revision").String() + "/" + url.PathEscape(p.name.Revision)
	var text []byte
	err := p.retry(ctx, func() (bool, error) {
		response, err := p.get(ctx, http.MethodGet, address, nil)
		if err != nil {
			return false, err
		}
		defer response.Body.Close()
		text, err = readAtMost(response.Body, maxListing)
		if errors.Is(err, errLong) {
			return false, err
		}
		return false, temporary(err)
	})
	if err != nil {
		return nil, err
	}
	var parsed struct {
		SHA      string `json:"sha"`
		Siblings []struct {
			Name string `json:"rfilename"`
		} `json:"siblings"`
	}
	if err := json.Unmarshal(text, &parsed); err != nil {
		return nil, fmt.Errorf("listing of files: %w", err)
	}
	if !commit.MatchString(parsed.SHA) {
		return nil, fmt.Errorf("listing of files: commit %.60q, want 40 hexadecimal digits", parsed.SHA)
	}
	if commit.MatchString(p.name.Revision) && parsed.SHA != p.name.Revision {
		return nil, fmt.Errorf("listing of files: commit %s", parsed.SHA)
	}
	p.commit = parsed.SHA
	var files []string
	for _, sibling := range parsed.Siblings {
		files = append(files, sibling.Name)
	}
	return files, nil
}

// patterns are the files beside the weights that a model needs, in the repository's root.
var patterns = []string{"config*.json", "configuration*.json", "generation_config*.json", "tokenizer*", "special_tokens_map.json",
	"added_tokens.json",
	"vocab.*", "merges.txt", "chat_template*", "spiece.model", "sentencepiece*.model"}

// needed picks from a repository's files: patterns, and one whole file of weights or the index of many.
func needed(files []string) (wanted []string, err error) {
	weights, pickles := "", false
	for _, file := range files {
		switch {
		case file == single, file == index && weights == "":
			weights = file
		case strings.HasSuffix(file, ".bin"), strings.HasSuffix(file, ".pt"), strings.HasSuffix(file, ".pth"):
			pickles = true
		case plain(file) && slices.ContainsFunc(patterns, func(pattern string) bool { ok, _ := path.Match(pattern, file); return ok }):
			wanted = append(wanted, file)
		}
	}
	slices.Sort(wanted)
	switch {
	case !slices.Contains(wanted, "config.json"):
		return nil, errors.New("the repository has no config.json")
	case weights == "" && pickles:
		return nil, errors.New("the repository has only pickled weights (.bin), which are never loaded; convert it with save_pretrained of Python's transformers")
	case weights == "":
		return nil, fmt.Errorf("the repository has neither %s nor %s", single, index)
	}
	return append(slices.Compact(wanted), weights), nil
}

func (p *puller) ref() string {
	return filepath.Join(p.repository, "refs", filepath.FromSlash(p.name.Revision))
}

// leftover is the form of mapped.Temporary.
var leftover = regexp.MustCompile(`\.[0-9a-f]{16}\.incomplete$`)

// clearLeftovers removes what a killed Pull has left in a folder: links and refs that never got their names. A living Pull gives them theirs
// within microseconds, so one that is a second old has no maker any more.
func clearLeftovers(folder string) {
	entries, err := os.ReadDir(folder)
	if err != nil {
		return
	}
	for _, entry := range entries {
		if info, err := entry.Info(); err == nil && leftover.MatchString(entry.Name()) && !entry.IsDir() && time.Since(info.ModTime()) > time.Second {
			os.Remove(filepath.Join(folder, entry.Name()))
		}
	}
}

// writeRef notes the commit of a branch or tag.
func (p *puller) writeRef() error {
	ref := p.ref()
	if err := os.MkdirAll(filepath.Dir(ref), 0o755); err != nil {
		return err
	}
	return mapped.WriteBytes(ref, []byte(p.commit))
}
