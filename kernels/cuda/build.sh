#!/bin/sh
# Compiles the kernels to PTX, a file each source: build.sh COMPILER FOLDER. COMPILER is clang++-19 (the committed PTX, the same bits every
# time) or an nvcc. Nothing is contracted but what a source asks for by fused(): what PTX leaves open, an assembler decides, and another
# assembler otherwise. Without contraction clang writes every sum and product of floats with its rounding.
set -eu
compiler=$1 folder=$2 here=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$folder" && folder=$(cd "$folder" && pwd)
cd "$here" # so that no path of this machine gets into the output
compile() { # source, architecture, PTX version, output
  case $compiler in
  *nvcc) "$compiler" -ptx -arch="$2" -fmad=false -std=c++17 -O3 "$1" -o "$4" ;;
  *) "$compiler" -x cuda --cuda-device-only --cuda-gpu-arch="$2" --cuda-feature=+"$3" -nocudainc -nocudalib -fms-extensions \
    -O3 -ffp-contract=off -std=c++17 -Wall -Wextra -Wno-unused-parameter -Wno-pass-failed -Werror -S "$1" -o "$4" ;;
  esac
}
(for source in hopper/*.cu; do compile "$source" sm_90a ptx80 "$folder/hopper_$(basename "${source%.cu}").sm_90a.ptx"; done) &
hopper=$!
for source in *.cu; do compile "$source" sm_80 ptx70 "$folder/${source%.cu}.sm_80.ptx"; done
wait $hopper
