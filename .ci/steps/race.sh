# The short Go tests with the race detector, of the packages that start goroutines, themselves or in their tests.
# debian: gcc g++ libc6-dev cmake make
# python: peers
# data: yes
# Which these are is read off the sources. What runs in their goroutines of the other packages does so in the commands' whole runs. cuda is left out,
# whose threads are the PTX machine's; and of the tests those that hold the results of long computations against values, where others of their
# package start the same goroutines.
ptx_machine
packages=$(grep -rlE '^\s*go [a-z]|\.Go\(func' --include='*.go' --exclude-dir=build . | xargs dirname | sort -u | grep -vx ./cuda)
echo "packages that start goroutines:" $packages
skip='TestCPU$|TestRepairOfTheDemo$|TestEvery(Architecture|GGUF)ReloadsShorter$|TestWriteHalves$|TestHostileConfigurations$|TestAbsurd'
tests -race -short -timeout 40m -skip "$skip|$long_runs" $packages
