# The kill table: every kind of job killed at a hundred random moments in all, resumed, and held against one that was never killed.
# debian: gcc libc6-dev
go test -vet=off -v -timeout 60m -run '^TestKillTable$' ./cmd/avssnative/command -kills 100 | tee "$build/kills.txt"
grep -q '| all | 100 |' "$build/kills.txt"
