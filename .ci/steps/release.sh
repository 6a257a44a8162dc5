# A release as it would be, made twice from nothing to the same bytes; its programs have the kernels, and compute what go build's does.
# debian: gcc libc6-dev git qemu-user libc6-dev-arm64-cross wine64
# python: zig nvidia
work=$(mktemp -d)
trap 'chmod -R u+w "$work"; rm -rf "$work"' EXIT
tools=$cache/release-tools
GOBIN=$tools go install github.com/goreleaser/goreleaser/v2@v2.15.1
GOBIN=$tools go install github.com/CycloneDX/cyclonedx-gomod/cmd/cyclonedx-gomod@v1.10.0
export ZIG="$build/zig/bin/python -m ziglang" AVSSNATIVE_PTXAS AVSSNATIVE_DOWNLOADS=https://downloads.example/avssnative GORELEASER_CURRENT_TAG
AVSSNATIVE_PTXAS=$(nvidia_tools)
version=$(sed -n 's/^const Version = "\(.*\)"$/\1/p' internal/job/build.go)
GORELEASER_CURRENT_TAG=v$version

# release FOLDER: what is committed, cloned into the folder, built with caches of its own.
release() {
  git clone -q "$root" "$1"
  (
    cd "$1"
    export GOCACHE=$work/cache ZIG_GLOBAL_CACHE_DIR=$work/zig PATH="$1/tools/release:$tools:$PATH"
    goreleaser release --snapshot --clean >"$work/said" 2>&1 || { cat "$work/said"; exit 1; }
    rm -rf "$work/cache" "$work/zig"
  )
}
release "$work/one"
release "$work/another/folder"
dist=$work/one/build/dist
(cd "$dist" && sha256sum --check --quiet SHA256SUMS && cat SHA256SUMS)
diff "$dist/SHA256SUMS" "$work/another/folder/build/dist/SHA256SUMS"
diff "$dist/homebrew/avssnative.rb" "$work/another/folder/build/dist/homebrew/avssnative.rb"
grep -q "$(sed -n 's/ .*darwin-arm64.tar.gz$//p' "$dist/SHA256SUMS")" "$dist/homebrew/avssnative.rb"

# program SYSTEM: the folder that the archive of a system unpacks to.
program() {
  mkdir -p "$work/programs"
  case $1 in
  windows*) (cd "$work/programs" && "$build/zig/bin/python" -m zipfile -e "$dist/avssnative-$version-$1.zip" .) ;;
  *) tar -C "$work/programs" -xzf "$dist/avssnative-$version-$1.tar.gz" ;;
  esac
  echo "$work/programs/avssnative-$version-$1"
}
# binary FOLDER: the program in what an archive unpacks to.
binary() { find "$1" -name avssnative -o -name avssnative.exe; }
commit=$(git rev-parse HEAD)
for system in linux-amd64 linux-arm64 windows-amd64 darwin-amd64 darwin-arm64; do
  folder=$(program $system)
  file=$(binary "$folder")
  go version -m "$file" | tr -s '\t' ' ' >"$work/parts"
  grep -qx ' build CGO_ENABLED=1' "$work/parts"
  grep -qx " build vcs.revision=$commit" "$work/parts"
  grep -qx ' build vcs.modified=false' "$work/parts"
  [ -s "$dist/avssnative-$version-$system.cdx.json" ] && [ -s "$folder/LICENSES" ] && [ -s "$folder/avssnative.1" ]
done

# windows PROGRAM ARGUMENT…: a program for Windows, run by Wine.
windows() { WINEPREFIX=$work/wine WINEDEBUG=-all /usr/lib/wine/wine64 "$@"; }
windows wineboot --init
tools/release/zigcc windows-amd64 -shared -o "$work/wine/drive_c/windows/system32/bcryptprimitives.dll" tools/release/wine/bcryptprimitives.c -ladvapi32

# devices SYSTEM SETS COMMAND…: the program of a system computes with one of the sets of instructions.
devices() {
  local system=$1 sets=$2
  shift 2
  "$@" "$(binary "$work/programs/avssnative-$version-$system")" devices | tr -d '\r' >"$work/devices"
  grep -E "^cpu .*, ($sets), " "$work/devices" || { echo "$system: no kernels of $sets:"; cat "$work/devices"; return 1; }
}
devices linux-amd64 'avx2|avxvnni|avx512|avx512vnni|avx512bf16|amx' env
devices linux-arm64 'neon|neondot' qemu-aarch64 -L /usr/aarch64-linux-gnu
devices windows-amd64 'avx2|avxvnni|avx512|avx512vnni|avx512bf16|amx' windows

dpkg-deb -x "$dist"/avssnative_*_amd64.deb "$work/deb"
"$work/deb/usr/bin/avssnative" version | grep -A1 -x "avssnative $version" | grep -q "$commit"
go build -o "$work/built" ./cmd/avssnative
# scores COMMAND…: of the demo, by every metric, with what was measured; not which program it was.
scores() {
  "$@" score --metrics avss,bi,kl --calib-tokens 1024 --out "$work/scores.json" --force >/dev/null 2>&1
  "$build/zig/bin/python" -c 'import json, sys; s = json.load(open(sys.argv[1])); print(json.dumps([s["scores"], s["layers"]], indent=1))' "$work/scores.json"
}
scores "$work/built" >"$work/want"
[ "$(wc -l <"$work/want")" -gt 1000 ]
scores "$work/deb/usr/bin/avssnative" | diff "$work/want" -
# Another C library's logarithms have other last bits.
scores windows "$(binary "$work/programs/avssnative-$version-windows-amd64")" >"$work/windows"
"$build/zig/bin/python" tools/release/near.py "$work/want" "$work/windows" 1e-12
echo "the scores of the demo are those of go build, on Linux and, by Wine, on Windows"
