# Beside the suites of the step test: the goldens of every architecture, and decoders, on the PTX machine.
# debian: gcc g++ libc6-dev cmake make
# data: yes
# threads: 1
ptx_machine
names='TestGoldens|TestVariants|TestGrouping|TestBranches|TestObservers|TestDecoderEqualsTheWalk|TestRingsEqualTheWalk'
PTXMACHINE=workers=1 AVSSNATIVE_TEST_DEVICES="cuda:0 f32,cuda:0 bf16" tests_named "$names" ./engine -timeout 30m
