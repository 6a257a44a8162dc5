# Every instruction set that this processor has, against the plain device.
# debian: gcc libc6-dev
# data: yes
names='TestCPU$|TestGoldens'
for isa in $(instruction_sets); do
  echo "$isa"
  AVSSNATIVE_ISA=$isa tests -short -count=1 -timeout 10m -run "$names" $(packages_with "$names" ./engine)
done
