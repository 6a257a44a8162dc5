# go.mod and go.sum say what is imported, no more and no less.
# threads: 1
go mod tidy -diff
