# What several steps build from C and C++: each is made once, whichever step comes first, and again only where a source changed.

# cmake_build FOLDER SOURCE OPTION…
cmake_build() {
  local folder=$1 source=$2
  shift 2
  mkdir -p "$folder"
  (
    flock 9
    cmake -S "$source" -B "$folder" -DCMAKE_BUILD_TYPE=Release -DCMAKE_RULE_MESSAGES=OFF "$@" >/dev/null
    cmake --build "$folder" -j2 -- -s
  ) 9>"$folder.lock"
}

# cpu_kernels FOLDER OPTION…: without the CUDA kernels, which the step ptx compiles.
cpu_kernels() {
  local folder=$1
  shift
  cmake_build "$folder" . -DAVSSNATIVE_CUDA_COMPILER=none "$@"
}

native_library() { cpu_kernels "$build/native-OFF" -DAVSSNATIVE_SANITIZE=OFF; }

ptx_machine() { cmake_build "$build/ptxmachine" kernels/cuda/ptxmachine; }

# nvidia_tools: the folder of NVIDIA's compiler and assembler inside the environment nvidia.
nvidia_tools() { find "$build/nvidia/" -type d -path '*/nvidia/cu13/bin' | head -1; }
