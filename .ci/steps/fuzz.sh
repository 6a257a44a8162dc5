# Every fuzz target for 3 seconds of a processor.
# debian: gcc libc6-dev
fuzz_all 3
