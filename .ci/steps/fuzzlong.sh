# Every fuzz target for 60 seconds.
# debian: gcc libc6-dev
fuzz_all 60
