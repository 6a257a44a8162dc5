# What every step sees: folders, and where tests find what the repository does not hold.
root=$PWD
build=$root/build
cache=${AVSSNATIVE_CI_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/avssnative-ci}
mkdir -p "$build" "$cache"
export AVSSNATIVE_DATA=${AVSSNATIVE_DATA:-$root/../shared/data} AVSSNATIVE_REFERENCE=${AVSSNATIVE_REFERENCE:-$root/../shared/reference}
export AVSSNATIVE_PYTHON=$build/peers/bin/python AVSSNATIVE_LLAMA_PYTHON=$build/llama/bin/python
export AVSSNATIVE_MODELS=$build/models
export AVSSNATIVE_LIBCUDA=$build/ptxmachine/libcuda.so.1
export GOFLAGS="${GOFLAGS:-} -buildvcs=false"
export PYTHONDONTWRITEBYTECODE=1
