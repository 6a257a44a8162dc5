# The committed PTX is what the sources give, and NVIDIA's assembler takes it for every GPU.
# debian: clang-19
# python: nvidia
# threads: 1
kernels/cuda/build.sh clang++-19 "$build/ptx"
diff -rq "$build/ptx" kernels/cuda/ptx
"$build/nvidia/bin/python" kernels/cuda/ptxas.py "$(nvidia_tools)" --compare --disassemble
