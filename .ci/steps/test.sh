# Every Go test, the CUDA suites on the PTX machine among them.
# debian: gcc g++ libc6-dev cmake make chromium
# python: peers llama
# models: smollm2
# data: yes
# There the device gets the cases of the table that check; the large ones, made for timing, are the step large.
ptx_machine
tests -timeout 40m $(go list ./... | grep -v '/cuda$')
tests -short -timeout 20m ./cuda
