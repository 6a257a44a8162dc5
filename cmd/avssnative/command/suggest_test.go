package command

import "testing"

// What is mistyped is told what was meant, before anything is read.
func TestNearestMetricsAndTasks(t *testing.T) {
	for _, arguments := range [][]string{
		{"score", "--metric", "anglar"}, {"score", "--metrics", "all", "--metric", "anglar"}, {"run", "--metric=anglar"},
		{"bench", "--metrics", "bi,anglar"},
		{"prune", "--metric", "anglar", "--out", "x"}, {"plan", "--device=h100-80g", "--metrics=anglar"}, {"draft", "--metrics=anglar"},
	} {
		refused(t, exitUsage, []string{`"anglar"`, "did you mean angular?", "known are"}, arguments...)
	}
	for _, arguments := range [][]string{{"eval", "--tasks", "small_wrold"}, {"run", "--tasks", "small_wrold"}, {"pull", "--tasks", "small_wrold"}} {
		refused(t, exitUsage, []string{"small_wrold", "did you mean small_world?"}, arguments...)
	}
	refused(t, exitUsage, []string{`"xyzzyplugh" is unknown; known are`}, "run", "--metric", "xyzzyplugh")
}
