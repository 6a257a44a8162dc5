# The other driver, gorgonia.org/cu, on the PTX machine.
# debian: gcc g++ libc6-dev cmake make
# python: cuda12
# data: yes
# threads: 1
# What kernels do among themselves is looked for in the step test, where they are launched by purego with the same arguments. Here every operation is
# launched in bfloat16, and in float32 those that have kernels of their own for it.
ptx_machine
cmake_build "$build/lazystub" kernels/cuda/lazystub
# By variables that are gcc's, not Go's: what else is compiled stays what Go's cache has.
C_INCLUDE_PATH=$(find "$build/cuda12/" -type d -path '*nvidia/cuda_runtime/include' | head -1)
export C_INCLUDE_PATH LIBRARY_PATH=$build/lazystub
PTXMACHINE=workers=1,race=0 tests -run 'TestConformance/bf16|TestConformance/f32/Product' -short -tags gorgonia -timeout 30m ./cuda
names='TestHead|TestSummed|TestDemoScores|TestRefusals|TestLimit|TestHopper|TestOldDriver|TestSelfTest|TestOutOfMemory|TestSharedPass'
PTXMACHINE=workers=1 tests_named "$names" ./cuda -short -tags gorgonia -timeout 30m
