package command

import (
	"crypto/sha1"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestDuration(t *testing.T) {
	for text, want := range map[string]time.Duration{"30s": 30 * time.Second, "2m": 2 * time.Minute, "5": 5 * time.Second, "0.5": time.Second / 2,
		"1e2": 100 * time.Second} {
		if got, err := duration(text); err != nil || got != want {
			t.Errorf("%s: %v %v", text, got, err)
		}
	}
	for _, text := range []string{"", "0", "-1", "-5s", "NaN", "Inf", "1e300", "5x", "99999999h"} {
		if got, err := duration(text); err == nil {
			t.Errorf("%s: %v", text, got)
		}
	}
}

func TestPullFlags(t *testing.T) {
	refused(t, exitUsage, []string{"--timeout", "30s"}, "pull", "--timeout", "0", "org/name")
	refused(t, exitUsage, []string{"--timeout"}, "pull", "--timeout", "soon", "org/name")
	t.Setenv("HF_ENDPOINT", "http://127.0.0.1:1")
	t.Setenv("HF_HOME", "~other/x")
	refused(t, exitFailed, []string{"HF_HOME", "~other/x"}, "pull", "--timeout", "1s", "org/name")
}

func TestPullTasks(t *testing.T) {
	t.Setenv("HF_HUB_CACHE", t.TempDir())
	t.Setenv("HF_ENDPOINT", "http://127.0.0.1:1")
	refused(t, exitUsage, []string{"--tasks"}, "pull")
	refused(t, exitUsage, []string{"--tasks", "org/name"}, "pull", "--tasks", "piqa", "org/name")
	refused(t, exitUsage, []string{"nosuch", "known are"}, "pull", "--tasks", "nosuch")
	refused(t, exitUsage, []string{"small_world_qa", "inside the program"}, "pull", "--tasks", "piqa,small_world_qa")
	refused(t, exitUsage, []string{"wikitext", "--task-data"}, "pull", "--tasks", "wikitext")
	// What is not there is said with how to get it, all of it in one line.
	for _, more := range [][]string{nil, {"--task-data", t.TempDir()}} {
		refused(t, exitUsage, []string{"avssnative pull --tasks piqa,arc_easy fetches"}, append([]string{"eval", "--tasks", "piqa,small_world_qa,arc_easy"}, more...)...)
	}
	t.Setenv("HF_HUB_OFFLINE", "1")
	refused(t, exitFailed, []string{"piqa", "not in the Hugging Face cache"}, "pull", "--tasks", "piqa")
}

// Data sets that name no configuration lie under "default", which the hub calls it then; another one beside it is not taken for it.
func TestPullTasksOfTheDefault(t *testing.T) {
	const commit = "0123456789abcdef0123456789abcdef01234567"
	hub := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/api/datasets/") && strings.HasSuffix(r.URL.Path, "/revision/refs/convert/parquet") {
			files := []map[string]string{}
			for _, config := range []string{"another", "default", "plain_text"} {
				for _, split := range []string{"test", "validation"} {
					files = append(files, map[string]string{"rfilename": config + "/" + split + "/0000.parquet"})
				}
			}
			json.NewEncoder(w).Encode(map[string]any{"sha": commit, "siblings": files})
			return
		}
		w.Header().Set("X-Repo-Commit", commit)
		w.Header().Set("ETag", fmt.Sprintf(`"%x"`, sha1.Sum(fmt.Appendf(nil, "blob %d\x00%s", len(r.URL.Path), r.URL.Path))))
		http.ServeContent(w, r, "", time.Time{}, strings.NewReader(r.URL.Path))
	}))
	defer hub.Close()
	t.Setenv("HF_HUB_CACHE", t.TempDir())
	t.Setenv("HF_ENDPOINT", hub.URL)
	for task, table := range map[string]string{"piqa": "baber/piqa validation", "hellaswag": "Rowan/hellaswag validation", "sciq": "allenai/sciq test",
		"commonsense_qa": "tau/commonsense_qa validation"} {
		file := strings.TrimSpace(strings.TrimPrefix(done(t, "pull", "--tasks", task), task))
		repository, split, _ := strings.Cut(table, " ")
		want := "/datasets/" + repository + "/resolve/" + commit + "/default/" + split + "/0000.parquet"
		if content, err := os.ReadFile(filepath.FromSlash(file)); err != nil || string(content) != want {
			t.Errorf("%s: %q, %v, want %s", task, content, err, want)
		}
	}
}
