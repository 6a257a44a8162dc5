# The short Go tests without cgo: on the library that CMake builds, then on plain Go.
# debian: gcc g++ libc6-dev cmake make
# python: peers llama
# data: yes
native_library
ptx_machine
export CGO_ENABLED=0
library=$(find "$build/native-OFF" -name 'libavssnative*.so' | head -1)
AVSSNATIVE_LIBCPU=$library tests -short -timeout 20m ./...
tests_named 'TestCPU$|TestGoldens' ./engine -short -timeout 20m
