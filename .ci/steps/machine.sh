# The PTX machine, which stands in for a GPU, and its own tests.
# debian: g++ cmake make
ptx_machine
ctest --test-dir "$build/ptxmachine" --output-on-failure -j2
