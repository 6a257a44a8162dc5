# go vet, with cgo and without.
# debian: gcc libc6-dev
go vet ./...
CGO_ENABLED=0 go vet ./kernels/cpu/... # which alone has other files then
