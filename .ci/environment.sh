# What every step sees: folders, and where tests find what the repository does not hold.
root=$PWD
build=$root/build
cache=${AVSSNATIVE_CI_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/avssnative-ci}
mkdir -p "$build" "$cache"
export AVSSNATIVE_DATA=${AVSSNATIVE_DATA:-$root/../shared/data} AVSSNATIVE_REFERENCE=${AVSSNATIVE_REFERENCE:-$root/../shared/reference}
export AVSSNATIVE_PYTHON=$build/peers/bin/python AVSSNATIVE_LLAMA_PYTHON=$build/llama/bin/python
export AVSSNATIVE_MODELS=$build/models
export AVSSNATIVE_LIBCUDA=$build/ptxmachine/libcuda.so.1
# Without the clone's path in what is compiled, Go's cache serves the next clone as well.
export GOFLAGS="${GOFLAGS:-} -buildvcs=false -trimpath"
export PYTHONDONTWRITEBYTECODE=1
# The C kernels are compiled for Go as it is, with the race detector and with coverage for fuzzing, and again wherever Go's own cache is new: gcc is
# found where ccache stands for it. Go names a seed that differs with every build and that C does not use.
export PATH=/usr/lib/ccache:$PATH CCACHE_DIR=$cache/ccache CCACHE_SLOPPINESS=random_seed
