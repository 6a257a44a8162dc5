# The other driver, gorgonia.org/cu, on the PTX machine.
# debian: gcc g++ libc6-dev cmake make
# python: cuda12
# data: yes
ptx_machine
cmake_build "$build/lazystub" kernels/cuda/lazystub
headers=$(find "$build/cuda12/" -type d -path '*nvidia/cuda_runtime/include' | head -1)
names='TestConformance|TestHead|TestSummed|TestDemoScores|TestRefusals|TestLimit|TestHopper|TestOldDriver|TestSelfTest|TestOutOfMemory|TestSharedPass'
CGO_CFLAGS="-O2 -g -I$headers" CGO_LDFLAGS="-L$build/lazystub" tests_named "$names" ./cuda -short -tags gorgonia -timeout 20m
