# Every instruction set that this processor has, against the plain device.
# debian: gcc libc6-dev
# data: yes
for isa in $(instruction_sets); do
  echo "$isa"
  AVSSNATIVE_ISA=$isa tests_named 'TestCPU$|TestGoldens' ./engine -short -count=1 -timeout 10m
done
