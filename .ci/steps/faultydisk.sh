# The fault table: every kind of job on disks that are full or broken, resumed, and held against one that met no fault; power cuts replayed.
# debian: gcc libc6-dev
go test -vet=off -count=1 -v -timeout 60m -run '^(TestFaultTable|TestPagesThatCannotBeRead|TestResumeWhereNothingCanBeKept)$' ./cmd/avssnative/command -faults 108 |
  tee "$build/faults.txt"
grep -q '| all | 108 | 108 | 108 | 0 |' "$build/faults.txt"
go test -vet=off -count=1 -v -run '^TestPowerCut' ./internal/mapped
