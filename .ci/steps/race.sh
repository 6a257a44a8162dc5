# The short Go tests with the race detector, of the packages that start goroutines, themselves or in their tests.
# debian: gcc g++ libc6-dev cmake make
# python: peers
# data: yes
# What runs in their goroutines of the other packages does so in the commands' whole runs. Left out are tests that hold values and start nothing
# that others do not; the long step racetests leaves out none. How many threads share an operation does not depend on its precision.
ptx_machine
packages=$(starting_goroutines)
echo "packages that start goroutines:" $packages
tests -race -short -timeout 40m -skip "$values_held|$long_runs|TestCPUThreads/bf16|TestCPUThreads/int8" $packages
