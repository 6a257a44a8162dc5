package command

import (
	"path/filepath"
	"testing"
)

// A folder that keeps nothing is told of before anything is computed: on a full disk, and where nothing may be written.
func TestResumeWhereNothingCanBeKept(t *testing.T) {
	for name, folder := range map[string]string{"full": fullDisk(t), "read-only": readOnly(t)} {
		t.Run(name, func(t *testing.T) {
			jobs := [][]string{
				with("score", quickText, []string{"--resume", folder}),
				with("run", quickText, []string{"--resume", folder}),
				with("bench", quickText, []string{"--metrics=avss", "--state", folder, "--shard=0/2"}),
				with("eval", quickTasks, []string{"--resume", folder}),
			}
			for _, job := range jobs { // quiet: that it will take more than a minute is said of slow machines alone
				refused(t, exitFailed, []string{folder, "nothing was computed"}, append(job, "--quiet")...)
			}
			if left := tree(t, folder); len(left) > 0 {
				t.Errorf("left behind: %v", left)
			}
			refused(t, exitFailed, []string{folder}, with("score", quickText, []string{"--resume", filepath.Join(folder, "state")})...)
		})
	}
}
