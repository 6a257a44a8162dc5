# The NEON kernels, those of generation among them, under an emulated processor.
# debian: cmake make gcc-aarch64-linux-gnu libc6-dev-arm64-cross qemu-user
cpu_kernels "$build/neon" -DCMAKE_TOOLCHAIN_FILE=kernels/cpu/aarch64.cmake
ctest --test-dir "$build/neon" --output-on-failure -j2
