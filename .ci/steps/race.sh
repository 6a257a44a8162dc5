# The short Go tests with the race detector; cuda is left out, whose threads are the PTX machine's.
# debian: gcc g++ libc6-dev cmake make
# python: peers llama
# data: yes
ptx_machine
tests -race -short -timeout 20m $(go list ./... | grep -v '/cuda$')
