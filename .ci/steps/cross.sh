# The program builds for the other systems, without a C compiler for them.
for system in windows/amd64 darwin/arm64 linux/arm64; do
  CGO_ENABLED=0 GOOS=${system%/*} GOARCH=${system#*/} go build -o "$build/cross/${system/\//-}/" ./cmd/avssnative
  echo "$system builds"
done
