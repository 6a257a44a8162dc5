# llama.cpp's own example of speculative decoding takes a draft that avssnative wrote, and says what the dense model says alone.
# debian: gcc g++ libc6-dev
# python: peers llama
# models: smollm2
# data: yes
# The example and what it shares with the others come from the source distribution that the environment's library was compiled of, and are kept
# beside the environments under its version.
package=$("$AVSSNATIVE_LLAMA_PYTHON" -c 'import os, llama_cpp; print(os.path.dirname(llama_cpp.__file__))')
version=$(sed -n 's/^llama-cpp-python==//p' .ci/requirements-llama.txt)
source=$cache/llama-source-$version
if [ ! -e "$source/done" ]; then
  rm -rf "$source" && mkdir -p "$source"
  "$build/llama/bin/pip" download -q --disable-pip-version-check --no-deps --no-binary llama-cpp-python -d "$source" \
    "llama-cpp-python==$version"
  tar -xzf "$source"/llama_cpp_python-*.tar.gz -C "$source" --strip-components 1
  touch "$source/done"
fi
.ci/speculative_build.sh "$source/vendor/llama.cpp" "$package/lib" "$source/built"
AVSSNATIVE_LLAMA_SPECULATIVE=$source/built/speculative tests -run TestLlamaCppSpeculates -count=1 -timeout 30m -v ./internal/peers
