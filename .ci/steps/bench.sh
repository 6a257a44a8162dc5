# The comparison with other programs in its smallest form: every program starts, and all agree on what they compute.
# debian: gcc libc6-dev
# python: peers
AVSSNATIVE_BENCH_CACHE=$build/bench AVSSNATIVE_BENCH_PYTHON=$AVSSNATIVE_PYTHON bench/peers/run --quick --only job --out "$build/bench.md"
