# The large cases of the table that holds devices against each other, on the PTX machine.
# debian: gcc g++ libc6-dev cmake make
# data: yes
ptx_machine
tests_named TestConformance ./cuda -timeout 60m
