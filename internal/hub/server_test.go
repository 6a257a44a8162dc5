package hub

import (
	"crypto/sha1"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

const sha = "0123456789abcdef0123456789abcdef01234567"

// server is a small hub: one repository, and a second host that large files redirect to.
type server struct {
	*httptest.Server
	elsewhere *httptest.Server
	mutex     sync.Mutex
	files     map[string]string
	requests  []string // "METHOD path range", of both hosts
	leaked    []string // Authorization headers that reached elsewhere
	token     string   // demanded if not empty

	listing   string                                 // instead of the true one
	endless   bool                                   // the listing has no end
	silent    string                                 // requests whose path has this in it are answered with nothing, for ever:
	after     int                                    // bytes of a body, where it has one
	asked     chan string                            // gets the path of each of them
	closing   chan struct{}                          // ends them
	small     string                                 // size announced of config.json
	etag      map[string]string                      // instead of the true one
	size      map[string]string                      // announced instead of the true one
	content   map[string]string                      // sent instead of the true one
	dropAfter int                                    // bytes after which a connection to elsewhere is cut, that many times:
	drops     int                                    //
	stalls    int                                    // connections to elsewhere that send nothing
	noRange   bool                                   // ranges are ignored
	busy      int                                    // requests answered 503 first
	redirect  func(w http.ResponseWriter, to string) // instead of 302 to elsewhere
}

func newServer(t *testing.T, files map[string]string) *server {
	s := &server{files: files, asked: make(chan string, 100), closing: make(chan struct{}),
		etag: map[string]string{}, size: map[string]string{}, content: map[string]string{}}
	s.Server = httptest.NewServer(http.HandlerFunc(s.hub))
	s.elsewhere = httptest.NewServer(http.HandlerFunc(s.storage))
	t.Cleanup(s.Close)
	t.Cleanup(s.elsewhere.Close)
	t.Cleanup(func() { close(s.closing) }) // the last comes first
	return s
}

func hashes(content string) (git, lfs string) {
	one := sha1.Sum([]byte(fmt.Sprintf("blob %d\x00%s", len(content), content)))
	two := sha256.Sum256([]byte(content))
	return hex.EncodeToString(one[:]), hex.EncodeToString(two[:])
}

func (s *server) note(r *http.Request) {
	s.requests = append(s.requests, strings.TrimSpace(r.Method+" "+r.URL.Path+" "+r.Header.Get("Range")))
}

func (s *server) hub(w http.ResponseWriter, r *http.Request) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	s.note(r)
	if s.quiet(w, r) {
		return
	}
	if s.busy > 0 {
		s.busy--
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	if s.token != "" && r.Header.Get("Authorization") != "Bearer "+s.token {
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	if r.URL.Path == "/api/models/org/tiny/revision/main" || r.URL.Path == "/api/models/org/tiny/revision/"+sha ||
		r.URL.Path == "/api/models/org/tiny/revision/refs/pr/1" || r.URL.Path == "/api/datasets/org/tiny/revision/refs/convert/parquet" {
		for s.endless && r.Context().Err() == nil {
			if _, err := w.Write(make([]byte, 1<<20)); err != nil {
				return
			}
		}
		if s.listing != "" {
			fmt.Fprint(w, s.listing)
			return
		}
		siblings := []map[string]string{}
		for name := range s.files {
			siblings = append(siblings, map[string]string{"rfilename": name})
		}
		json.NewEncoder(w).Encode(map[string]any{"sha": sha, "siblings": siblings})
		return
	}
	name, found := strings.CutPrefix(strings.TrimPrefix(r.URL.Path, "/datasets"), "/org/tiny/resolve/"+sha+"/")
	if !found {
		name, found = strings.CutPrefix(r.URL.Path, "/org/tiny/resolve/main/")
	}
	content, exists := s.files[name]
	if !found || !exists {
		w.WriteHeader(http.StatusNotFound)
		return
	}
	git, lfs := hashes(content)
	w.Header().Set("X-Repo-Commit", sha)
	if !strings.HasSuffix(name, ".safetensors") && !strings.HasSuffix(name, ".parquet") { // a small file, sent from here
		w.Header().Set("ETag", `W/"`+git+`"`)
		if s.small != "" && name == "config.json" && r.Method == http.MethodHead {
			w.Header().Set("Content-Length", s.small)
			return
		}
		s.send(w, r, name)
		return
	}
	if s.etag[name] != "" {
		lfs = s.etag[name]
	}
	size := strconv.Itoa(len(content))
	if s.size[name] != "" {
		size = s.size[name]
	}
	w.Header().Set("X-Linked-Etag", `"`+lfs+`"`)
	w.Header().Set("X-Linked-Size", size)
	if s.redirect != nil {
		s.redirect(w, s.elsewhere.URL+"/"+name)
		return
	}
	w.Header().Set("Location", s.elsewhere.URL+"/"+name)
	w.WriteHeader(http.StatusFound)
}

func (s *server) storage(w http.ResponseWriter, r *http.Request) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	s.note(r)
	if token := r.Header.Get("Authorization"); token != "" {
		s.leaked = append(s.leaked, token)
	}
	if s.stalls > 0 {
		s.stalls--
		s.mutex.Unlock()
		select {
		case <-r.Context().Done():
		case <-time.After(10 * time.Second):
		}
		s.mutex.Lock()
		return
	}
	if s.quiet(w, r) {
		return
	}
	s.send(w, r, strings.TrimPrefix(r.URL.Path, "/"))
}

// quiet is silent on a request that s.silent is about. The mutex is held when it is called and when it returns.
func (s *server) quiet(w http.ResponseWriter, r *http.Request) bool {
	if s.silent == "" || !strings.Contains(r.Method+" "+r.URL.Path, s.silent) {
		return false
	}
	if content := s.files[strings.TrimPrefix(r.URL.Path, "/")]; s.after > 0 && content != "" {
		begin, _ := strconv.Atoi(strings.TrimSuffix(strings.TrimPrefix(r.Header.Get("Range"), "bytes="), "-"))
		w.Header().Set("Content-Length", strconv.Itoa(len(content)-begin))
		if begin > 0 {
			w.Header().Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", begin, len(content)-1, len(content)))
			w.WriteHeader(http.StatusPartialContent)
		} else {
			fmt.Fprint(w, content[:s.after])
		}
		w.(http.Flusher).Flush()
	}
	s.mutex.Unlock()
	defer s.mutex.Lock()
	select {
	case s.asked <- r.URL.Path:
	default:
	}
	select {
	case <-r.Context().Done():
	case <-s.closing:
	}
	return true
}

func (s *server) send(w http.ResponseWriter, r *http.Request, name string) {
	content := s.files[name]
	if s.content[name] != "" {
		content = s.content[name]
	}
	begin := 0
	if text, ranged := strings.CutPrefix(r.Header.Get("Range"), "bytes="); ranged && !s.noRange {
		begin, _ = strconv.Atoi(strings.TrimSuffix(text, "-"))
		if begin >= len(content) {
			w.WriteHeader(http.StatusRequestedRangeNotSatisfiable)
			return
		}
		w.Header().Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", begin, len(content)-1, len(content)))
	}
	w.Header().Set("Content-Length", strconv.Itoa(len(content)-begin))
	if begin > 0 {
		w.WriteHeader(http.StatusPartialContent)
	}
	if r.Method == http.MethodHead {
		return
	}
	part := content[begin:]
	if s.drops > 0 && len(part) > s.dropAfter && strings.HasSuffix(name, ".safetensors") {
		s.drops--
		part = part[:s.dropAfter]
	}
	fmt.Fprint(w, part) // fewer bytes than the length says: the connection is closed
}
