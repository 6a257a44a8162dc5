#!/usr/bin/env bash
# All there is to do in the first hour on a GPU, a step at a time:
#
#   ./run.sh [MINUTES [STEP…]]
#
# goes on where the last call stopped, begins no step that may not end within MINUTES (9 unless told otherwise) of its start, and does all the
# steps, or those that are named anew. Each step has a time limit of its own, leaves its output in out/STEP.txt and a line of JSON in
# results.jsonl; page.md is the whole for a reader. A step that fails stops nothing. AVSSNATIVE_FIRST_HOUR=small takes small sizes, for a
# trial where there is no GPU.
set -uo pipefail
cd "$(dirname "$0")"
here=$PWD minutes=${1:-9} small=${AVSSNATIVE_FIRST_HOUR:-} began=$SECONDS
shift || true
mkdir -p out work
[ -e bin/engine.test ] || { xz -dc tools.tar.xz 2>work/unpack.txt || python3 -c 'import lzma, shutil, sys; shutil.copyfileobj(lzma.open("tools.tar.xz"), sys.stdout.buffer)'; } | tar x
export CUDA_CACHE_PATH=$here/work/compiled XDG_CACHE_HOME=$here/work/cache
device=cuda:0

# quoted reads text and writes it as one JSON string.
quoted() { tail -c "${1:-2000}" | LC_ALL=C tr -d '\000-\010\013-\037' | sed 's/\\/\\\\/g; s/"/\\"/g; s/\t/ /g' | awk 'BEGIN{printf "\""} NR>1{printf "\\n"} {printf "%s", $0} END{printf "\""}'; }

# done_already STEP: it has ended before, one way or the other.
done_already() { [ -e results.jsonl ] && grep -q "^{\"step\":\"$1\"," results.jsonl; }

# forget STEP: it is to be done anew.
forget() { [ ! -e results.jsonl ] || { grep -v "^{\"step\":\"$1\"," results.jsonl >work/results; mv work/results results.jsonl; }; }

# step NAME LIMIT: does the function of that name. It says 77 where what it needs is not there.
step() {
  local name=$1 limit=$2 at code=0 result
  [ -z "$small" ] || limit=$((limit < 120 ? limit : 120))
  if [ ${#wanted[@]} -gt 0 ]; then case " ${wanted[*]} " in *" $name "*) forget "$name" ;; *) return ;; esac; fi
  done_already "$name" && return
  if [ $((SECONDS - began + limit)) -gt $((minutes * 60)) ]; then later+=("$name"); return; fi
  echo "== $name"
  at=$(date +%s.%N)
  timeout -k 5 "$limit" "$BASH" "$here/run.sh" --step "$name" >"out/$name.txt" 2>&1 || code=$?
  case $code in 0) result=passed ;; 77) result=absent ;; 124 | 137) result=timeout ;; *) result=failed ;; esac
  printf '{"step":"%s","result":"%s","code":%d,"seconds":%s,"said":%s}\n' "$name" "$result" "$code" \
    "$(awk -v a="$at" -v b="$(date +%s.%N)" 'BEGIN{printf "%.1f", b-a}')" "$(quoted <"out/$name.txt")" >>results.jsonl
  echo "   $result"
}

# size SMALL LARGE: the one that is wanted.
size() { if [ -n "$small" ]; then echo "$1"; else echo "$2"; fi; }
has() { command -v "$1" >/dev/null || { echo "$1 is not installed"; exit 77; }; }
tests() { (cd engine && "$here/bin/cuda.test" -test.short "$@"); } # anywhere but where it would write
named() { tests -test.v -test.run "$1" | grep -vE '^ *(=== |--- PASS)'; return "${PIPESTATUS[0]}"; }
scores() { "$here/bin/avssnative" score --model "${3:-demo}" --device "$device" --compute "$1" --out "$2" $tokens; }
tokens=
[ -z "$small" ] || tokens="--calib-tokens 64"

# The steps.
machine() { bin/avssnative devices && uname -sr && { grep -m1 'model name' /proc/cpuinfo; free -g; ! command -v nvidia-smi || nvidia-smi -q; }; }
open_cold() { rm -rf work/compiled work/cache && tests -test.v -test.run '^TestSelfTestTime$'; }
open_warm() { tests -test.v -test.run '^TestSelfTestTime$'; }
open_without_hopper() { AVSSNATIVE_CUDA_HOPPER=off tests -test.v -test.run '^TestSelfTestTime$'; }
trap_in_a_child() { named '^TestTrapStaysApart$'; }
conformance() { AVSSNATIVE_CUDA_SYNC=1 named "$(size '^TestTiles$' '^TestConformance$')"; }
conformance_queued() { named "$(size '^TestJoined$' '^TestConformance$')"; }
sanitizer() { has compute-sanitizer && (cd engine && compute-sanitizer --error-exitcode 1 "$here/bin/cuda.test" -test.short -test.run '^(TestTiles|TestQuantised|TestJoined)$'); }
bits() { named "$(size '^TestQuantised$' '^(TestTiles|TestQuantised|TestJoined|TestHead|TestSummed|TestHopper$|TestHopperBesideMmaSync)')"; }
goldens() { (cd engine && AVSSNATIVE_TEST_DEVICES="$device f32,$device bf16" "$here/bin/engine.test" -test.run "^TestGoldens\$$(size /llama '')"); }
decoder() { (cd engine && AVSSNATIVE_TEST_DEVICES="$device f32,$device bf16" "$here/bin/engine.test" -test.run "^TestDecoderEqualsTheWalk\$$(size '/^llama$' '')"); }
twice() {
  local compute
  for compute in f32 bf16; do
    rm -f work/once.json work/again.json
    scores $compute work/once.json && scores $compute work/again.json || return
    same work/once.json work/again.json || { echo "$compute: other scores the second time"; return 1; }
    echo "$compute: the same scores twice"
  done
}
# same compares two results without the times in them.
same() { cmp <(sed -E '/"(seconds|began|created|elapsed|duration|date|time)[a-z_]*":/d' "$1") <(sed -E '/"(seconds|began|created|elapsed|duration|date|time)[a-z_]*":/d' "$2"); }
two_processes() {
  rm -f work/one.json work/two.json
  scores f32 work/one.json >work/one.txt 2>&1 &
  scores f32 work/two.json
  wait $! && same work/one.json work/two.json && echo "the same scores side by side"
}
killed() {
  rm -f work/killed.json work/after.json
  scores f32 work/killed.json >work/killed.txt 2>&1 &
  sleep 1
  kill -9 $! 2>/dev/null
  wait $! 2>/dev/null
  scores f32 work/after.json && echo "the GPU works after a process was killed"
}
weights_stay() { named "$(size '^TestCallsOfAToken$' '^(TestWeightsStay|TestCallsOf)')"; }
memory_limits() { named '^(TestLimit|TestStagingGoesRound)$'; }
kernels() { bench 'BenchmarkKernels|BenchmarkDevice'; }
rows() { bench BenchmarkRows; }
cublas() { bench BenchmarkCublas; }
tokens() { bench BenchmarkTokens; }
# bench PATTERN: with power and clocks beside it where they can be had.
bench() {
  local watch=
  if command -v nvidia-smi >/dev/null; then
    nvidia-smi --query-gpu=timestamp,clocks.sm,clocks.mem,power.draw,temperature.gpu,utilization.gpu --format=csv -l 1 >"work/power-$1.csv" &
    watch=$!
  fi
  local code=0
  (cd engine && "$here/bin/cuda.test" ${small:+-test.short} -test.v -test.run '^$' -test.bench "$1" -test.benchtime "$(size 1x 1s)") |
    tee "work/bench-$$.txt" || code=$?
  if [ $code -eq 0 ] && ! grep -q ' ns/op' "work/bench-$$.txt"; then code=77; fi
  if [ -n "$watch" ]; then kill "$watch"; tail -n 30 "work/power-$1.csv"; fi
  return $code
}
real_model() {
  [ -d model ] || { echo "no model in the folder"; exit 77; }
  local file
  file=$(find model -name '*.gguf' | head -1)
  scores bf16 work/real.json "${file:-model}" && bin/avssnative generate --model "${file:-model}" --device "$device" --prompt "The quick brown fox" --tokens 32
}
generate() { bin/avssnative generate --model demo --device "$device" --prompt "Once" --tokens "$(size 4 128)"; }
remove() { rm -rf work/pruned && bin/avssnative run --model demo --device "$device" --drop 25% --out work/pruned $tokens $(size "--tasks $tasks --limit 2" ""); }
tasks=small_world_sentiment
torch_beside() { has python3 && python3 -c 'import torch' 2>/dev/null || { echo "torch is not installed"; exit 77; }
  python3 - <<'PYTHON'
import time, torch
d = torch.device("cuda:0")
for rows in (1, 8, 32, 64, 128, 512, 2048):
    x, w = torch.randn(rows, 4096, device=d, dtype=torch.bfloat16), torch.randn(4096, 4096, device=d, dtype=torch.bfloat16)
    for n in (20, 200):
        torch.cuda.synchronize(); at = time.time()
        for _ in range(n): y = x @ w.T
        torch.cuda.synchronize(); took = (time.time() - at) / n
    print(f"torch rows={rows} {took*1e6:.1f} us {2*rows*4096*4096/took/1e12:.2f} TFLOP/s")
PYTHON
}

if [ "$minutes" = --step ]; then "$1"; exit; fi

wanted=("$@") later=()
# What is most worth knowing comes first.
step machine 60
step open_cold 120
step open_warm 60
step open_without_hopper 60
step trap_in_a_child 120
step bits 240
step twice 180
step goldens 480
step decoder 480
step conformance_queued 480
step conformance 500
step weights_stay 120
step memory_limits 120
step two_processes 120
step killed 120
step rows 240
step kernels 400
step cublas 120
step tokens 240
step generate 120
step remove 180
step real_model 240
step sanitizer 480
step torch_beside 120

{
  echo "# The first hour on a GPU"
  sed -n 's/^.*\(cuda:[0-9].*\)$/\1/p' out/machine.txt 2>/dev/null | head -1
  echo
  echo '| step | result | seconds |'
  echo '|---|---|---|'
  [ ! -e results.jsonl ] || sed -E 's/^\{"step":"([^"]*)","result":"([^"]*)","code":[0-9]+,"seconds":([0-9.]+),.*$/| \1 | \2 | \3 |/' results.jsonl
  for name in "${later[@]:-}"; do [ -z "$name" ] || echo "| $name | to come | |"; done
  for name in rows kernels cublas tokens torch_beside; do
    grep -qsE '^(Benchmark.* ns/op|torch rows)' "out/$name.txt" || continue
    printf '\n## %s\n\n' "$name"
    grep -E '^(Benchmark.* ns/op|torch rows)' "out/$name.txt" | sed 's/^/    /'
  done
} >page.md
[ ${#later[@]} -eq 0 ] || { echo "to come with the next call: ${later[*]}"; exit 3; }
! grep -qE '"result":"(failed|timeout)"' results.jsonl
