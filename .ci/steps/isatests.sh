# All short Go tests on every instruction set that this processor has.
# debian: gcc g++ libc6-dev cmake make
# python: peers llama
# data: yes
ptx_machine
for isa in $(instruction_sets); do
  echo "$isa"
  AVSSNATIVE_ISA=$isa tests -short -count=1 -timeout 30m $(go list ./... | grep -v '/cuda$')
done
