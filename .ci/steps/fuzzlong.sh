# Every fuzz target for 120 seconds of a processor.
# debian: gcc libc6-dev
fuzz_all 120
