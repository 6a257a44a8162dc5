# NVIDIA's compiler takes the same sources, and what it makes passes the same tests on the PTX machine.
# debian: gcc g++ libc6-dev cmake make
# python: nvidia
# data: yes
ptx_machine
kernels/cuda/build.sh "$(nvidia_tools)/nvcc" "$build/ptx-nvcc"
rm -rf "$build/nvcc-tree" && mkdir "$build/nvcc-tree"
git ls-files -z | xargs -0 cp --parents -t "$build/nvcc-tree"
cp "$build"/ptx-nvcc/*.ptx "$build/nvcc-tree/kernels/cuda/ptx/"
cd "$build/nvcc-tree"
names='TestConformance|TestTiles|TestQuantised|TestJoined|TestHead|TestSummed'
tests_named "$names" ./cuda -short -timeout 30m
