# Every fuzz target for 3 seconds.
# debian: gcc libc6-dev
fuzz_all 3
