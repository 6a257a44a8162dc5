# Every fuzz target for 120 seconds of a processor, and what is made up for 100 seconds held against PyPI's packages.
# debian: gcc libc6-dev
# python: peers llama
# models: smollm2 gemma3
# data: yes
fuzz_all 120
AVSSNATIVE_DIFFERENTIAL=100s AVSSNATIVE_REAL_MODELS=$build/models tests -count=1 -timeout 60m -v ./internal/differential
