# The committed PTX is what the sources give, and NVIDIA's assembler takes it for every GPU.
# debian: clang-19
# python: nvidia
# threads: 1
# What it finds depends on the files here and on these programs alone: where they are those of a run that passed, it passes as that one did.
tools=$(nvidia_tools)
key=$({
  clang++-19 --version
  sha256sum "$tools/ptxas" "$tools/nvdisasm" .ci/steps/ptx.sh
  find kernels/cuda -type f -not -path '*/ptxmachine/*' -not -path '*/lazystub/*' -not -name '*.go' -print0 | sort -z | xargs -0 sha256sum
} | sed "s|$root/||" | sha256sum | cut -c1-32)
if [ -e "$cache/ptx/$key" ]; then
  echo "sources, PTX, table and compilers are those of $(date -u -r "$cache/ptx/$key" +'%Y-%m-%d %H:%M'), when this passed"
  return 0
fi
kernels/cuda/build.sh clang++-19 "$build/ptx"
diff -rq "$build/ptx" kernels/cuda/ptx
"$build/nvidia/bin/python" kernels/cuda/ptxas.py "$tools" --compare --disassemble
mkdir -p "$cache/ptx"
touch "$cache/ptx/$key"
