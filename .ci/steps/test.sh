# Every Go test, the CUDA suites on the PTX machine among them.
# debian: gcc g++ libc6-dev cmake make
# python: peers llama
# models: smollm2
# data: yes
ptx_machine
tests -timeout 20m ./...
