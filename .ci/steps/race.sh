# The short Go tests with the race detector; cuda is left out, whose threads are the PTX machine's.
# debian: gcc g++ libc6-dev cmake make
# python: peers
# data: yes
# Left out besides: packages whose tests start no goroutine, by themselves or by what they call; devicetest, whose broken devices compute by the
# reference device as the engine's tests do; peers, which starts other programs. And tests that hold the results of long computations against
# values, where others of their package start the same goroutines: greedy choices and removals of whole models, tasks as another program judges
# them, every family and format written once more (the engine's tests compute all families), the demo's repair (that of halves stays, and
# TestRoundRows), and the table of operations on one number of threads, which TestCPUThreads goes through on four.
ptx_machine
without='cuda|docs|tools/rooms|kernels/cpu/gen|kernels/cuda/gen|internal/(devicetest|gguf|peers|report|report/escape|safetensors)'
skip='TestGoldenGreedy$|TestGoldenRemoval$|TestLMEval$|TestCPU$|TestRepairOfTheDemo$|TestEvery(Architecture|GGUF)ReloadsShorter$|TestWriteHalves$'
tests -race -short -timeout 40m -skip "$skip" $(go list ./... | grep -vE "/($without)\$")
