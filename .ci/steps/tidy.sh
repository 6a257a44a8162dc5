# go.mod and go.sum say what is imported, no more and no less.
go mod tidy -diff
