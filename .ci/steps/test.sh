# Every Go test, the CUDA suites on the PTX machine among them.
# debian: gcc g++ libc6-dev cmake make chromium
# python: peers llama
# models: smollm2
# data: yes
# There the device gets the cases of the table that check; the large ones, made for timing, are the step large. The tests that start other programs
# come first: they take longest and one thread, and the others run beside them.
ptx_machine
tests -timeout 40m ./internal/peers $(go list ./... | grep -vE '/(cuda|internal/peers)$')
tests -short -timeout 20m ./cuda
# Where there is no GPU the tests of one skip, and do not fail: go test on a machine that has but Go and a C compiler.
env -u AVSSNATIVE_LIBCUDA -u AVSSNATIVE_REQUIRE go test -vet=off -short -timeout 5m ./cuda
