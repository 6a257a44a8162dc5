# The folder for the first hour on a GPU, and all that is done with it there, in small sizes on the PTX machine.
# debian: gcc g++ libc6-dev cmake make xz-utils
# python: nvidia
ptx_machine
folder=$build/first-hour
rm -rf "$folder"
AVSSNATIVE_PTXAS=$(nvidia_tools) tools/gpu/first-hour "$folder"
ended=3
while [ $ended -eq 3 ]; do # more is to come
  ended=0
  PTXMACHINE=sm=90 AVSSNATIVE_FIRST_HOUR=small "$folder/run.sh" || ended=$?
done
cat "$folder/page.md"
[ $ended -eq 0 ] || grep -E '"result":"(failed|timeout)"' "$folder/results.jsonl"
[ $ended -eq 0 ]
