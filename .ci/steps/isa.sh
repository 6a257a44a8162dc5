# Every instruction set that this processor has below its best, against the plain device.
# debian: gcc libc6-dev
# data: yes
# The best is what every other test runs on.
for isa in $(instruction_sets | sed '$d'); do
  echo "$isa"
  AVSSNATIVE_ISA=$isa tests_named 'TestCPU$|TestGoldens' ./engine -short -count=1 -timeout 10m
done
