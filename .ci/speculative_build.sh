#!/usr/bin/env bash
# Compiles llama.cpp's example speculative-simple against a library of llama.cpp that is there already.
#
#   .ci/speculative_build.sh SOURCE LIBRARIES OUT      OUT/speculative is the program
#
# An object that is newer than its source is kept. Nothing here has to be fast, so it is not optimised.
set -euo pipefail
source=$1 libraries=$2 out=$3
mkdir -p "$out"
# What CMake would write of the build.
[ -e "$out/build-info.cpp" ] || {
  printf '%s\n' '#include <cstdio>' 'int llama_build_number(void) { return 0; }' 'const char * llama_commit(void) { return ""; }' \
    'const char * llama_compiler(void) { return ""; }' 'const char * llama_build_target(void) { return ""; }' \
    'const char * llama_build_info(void) { return ""; }' 'void llama_print_build_info(const char *, FILE *) {}' >"$out/build-info.new"
  mv "$out/build-info.new" "$out/build-info.cpp"
}
export source out
compile() {
  local object name=${1#"$source/"}
  object=$out/${name//\//_}.o
  [ "$1" != "$out/build-info.cpp" ] || object=$out/build-info.o
  [ "$object" -nt "$1" ] || {
    g++ -std=c++17 -O0 -w -I "$source/common" -I "$source/include" -I "$source/ggml/include" -I "$source/vendor" \
      -I "$source/src" -I "$source" -c "$1" -o "$object.new" && mv "$object.new" "$object"
  }
}
export -f compile
# The largest first: they take the longest.
ls -S "$source"/common/*.cpp "$source"/common/jinja/*.cpp "$source"/common/parsers/*.cpp "$source"/vendor/cpp-httplib/httplib.cpp \
  "$source"/examples/speculative-simple/speculative-simple.cpp "$out/build-info.cpp" |
  xargs -P "$(nproc)" -I '{}' bash -c 'compile "$1"' - '{}'
g++ "$out"/*.o -o "$out/speculative.new" -L "$libraries" -lllama -lggml -lggml-cpu -lggml-base -lpthread -Wl,-rpath,"$libraries"
mv "$out/speculative.new" "$out/speculative"
