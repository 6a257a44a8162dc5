package job

import (
	"runtime"
	"runtime/debug"

	"avssnative/avss"
)

// Version is the program's own; -dev until CHANGELOG dates it.
const Version = "0.2.0-dev"

// Build says which program this is and what it was built from, as far as the build knows: `go build` in a checkout does, `go run` and a build
// from an archive do not.
type Build struct {
	Version    string `json:"version"`
	Commit     string `json:"commit,omitempty"`
	CommitTime string `json:"commit_time,omitempty"` // RFC 3339
	Modified   bool   `json:"modified"`              // files differed from the commit
	Go         string `json:"go"`
	Platform   string `json:"platform"` // operating system and processor, as linux/amd64
}

// ThisBuild is the running program's.
func ThisBuild() Build {
	b := Build{Version: Version, Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return b
	}
	return b.with(info.Settings)
}

// with adds what the toolchain noted.
func (b Build) with(settings []debug.BuildSetting) Build {
	for _, s := range settings {
		switch s.Key {
		case "vcs.revision":
			b.Commit = s.Value
		case "vcs.time":
			b.CommitTime = s.Value
		case "vcs.modified":
			b.Modified = s.Value == "true"
		}
	}
	return b
}

// Tool names this program, with the commit it was built from where the build knows it.
func Tool() avss.ToolInfo {
	b := ThisBuild()
	return avss.ToolInfo{Name: "avssnative", Version: b.Version, Commit: b.Commit}
}
