# All short Go tests with the race detector, of the packages that start goroutines.
# debian: gcc g++ libc6-dev cmake make
# python: peers
# data: yes
ptx_machine
tests -race -short -timeout 120m $(starting_goroutines)
