# The other driver, gorgonia.org/cu, on the PTX machine.
# debian: gcc g++ libc6-dev cmake make
# python: cuda12
# data: yes
# threads: 1
# What kernels do among themselves is looked for in the step test: with another driver the same kernels' values are checked.
ptx_machine
cmake_build "$build/lazystub" kernels/cuda/lazystub
headers=$(find "$build/cuda12/" -type d -path '*nvidia/cuda_runtime/include' | head -1)
export CGO_CFLAGS="-O2 -g -I$headers" CGO_LDFLAGS="-L$build/lazystub"
PTXMACHINE=workers=1,race=0 tests_named TestConformance ./cuda -short -tags gorgonia -timeout 30m
names='TestHead|TestSummed|TestDemoScores|TestRefusals|TestLimit|TestHopper|TestOldDriver|TestSelfTest|TestOutOfMemory|TestSharedPass'
PTXMACHINE=workers=1 tests_named "$names" ./cuda -short -tags gorgonia -timeout 30m
