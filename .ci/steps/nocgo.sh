# The short Go tests of what is another program without cgo: on the library that CMake builds, then on plain Go.
# debian: gcc g++ libc6-dev cmake make
# data: yes
# kernels/cpu alone has other files then. Its tests run, those of what computes with it, those of the memory behind it, whose signals another
# handler takes, and the commands', which are whole runs. What reaches kernels only by way of the engine is left out (avss, bench, prune, job …),
# and what reaches none. Of cuda, which calls its driver without cgo in either program, memory, failures and whole models are checked; what each
# kernel computes is the step test's.
native_library
ptx_machine
export CGO_ENABLED=0
# Configurations that are refused before anything is computed.
reading='TestHostileConfigurations$|TestAbsurd'
library=$(find "$build/native-OFF" -name 'libavssnative*.so' | head -1)
AVSSNATIVE_LIBCPU=$library tests -short -timeout 30m -skip "$long_runs|$reading" ./kernels/cpu/... ./engine/... ./cmd/... ./internal/mapped
names='TestNoDriver|TestRefusals|TestLimit|TestSynchronous|TestDemoScores|TestQuantised|TestOutOfMemory|TestSharedPass|TestKernelFails'
names+='|TestFailuresGiveBack|TestUploadsArePinned|TestStagingGoesRound|TestStagesGrow|TestTrapStaysApart'
tests_named "$names" ./cuda -short -timeout 20m
tests_named 'TestCPU$|TestGoldens' ./engine -short -timeout 20m
