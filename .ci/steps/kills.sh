# The kill table: every kind of job killed at a hundred random moments in all, resumed, and held against one that was never killed.
# debian: gcc libc6-dev
tests_named TestKillTable ./cmd -v -timeout 60m -kills 100 | tee "$build/kills.txt"
grep -q '| all | 100 |' "$build/kills.txt"
