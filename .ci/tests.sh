# How steps run Go's tests. vet is a step of its own, so no test run repeats it.

# tests ARGUMENT…: go test. Where the shared data is absent, it says afterwards what was left out.
tests() {
  if [ "${AVSSNATIVE_REQUIRE:-}" = 1 ]; then
    go test -vet=off "$@"
    return
  fi
  local said failed=0
  said=$(mktemp -p "$build")
  go test -vet=off -v "$@" >"$said" 2>&1 || failed=1
  if [ $failed -eq 1 ]; then grep -vE '^ *(=== |--- (PASS|SKIP))|^PASS$' "$said"; else grep -E '^(ok|\?)\s' "$said" || true; fi
  if grep -q 'skipped: .* is missing' "$said"; then
    echo "left out, as something is missing:"
    sed -nE 's/.*skipped: (.*) is missing$/\1/p' "$said" | sort | uniq -c
  fi
  rm -f "$said"
  return $failed
}

# long_runs are tests of the commands that call them many times over: what they find does not depend on how the program was compiled, and other
# tests of their package go the same ways once.
long_runs='TestKillTable$|TestMemoryIsKept$|TestSearchByATasksQuestions$|TestSearchChoosesTheSet$|TestSearchesAndSweepsGoOnWithWhatTheirShardsHaveFound$'
long_runs+='|TestAMergeDecidesTheRoundsOfASearch$'
long_runs+='|TestSeveralTextsSideBySide$|TestTargetAndShares$|TestSublayers$|TestScoresOfSublayers$|TestOutputsFollowTheirSchemas$'
long_runs+='|TestFaultTable$|TestCompareReports$|TestReportHasEverything$|TestForceReplacesFormerOutputs$|TestWarningsEverywhere$'
long_runs+='|TestShardsMergeToWhatASingleRunFinds$|TestBench$|TestLinearIsJudged$|TestTextUntilTheSetIsSettled$'
long_runs+='|TestBenchOfSublayers$|TestDraftDraws$|TestConfigOrder$|TestPlacesAreLookedAtFirst$'

# values_held are tests that hold the results of long computations against values, where others of their package start the same goroutines.
values_held='TestCPU$|TestRepairOfTheDemo$|TestRepairOfHalves$|TestEvery(Architecture|GGUF)ReloadsShorter$|TestWriteHalves$|TestCopiedTypesOfGGUF$'
values_held+='|TestLeavingOffEarlyChangesNoResult$|TestADoubtLeavesOffMore$|TestHostileConfigurations$|TestAbsurd|TestGGUFTypes$|TestTypesOfGGUF$'
values_held+='|TestBombs$|TestOneLongDocument$|TestWhatUnfoldsWithinBoundsIsRead$'
values_held+='|TestGolden$|TestGoldenPublished$|TestSentencePiecePublished$'
values_held+='|TestOracle(IDs|Published|Characters)$|TestReplaceAgainstOracle$|TestOffsetsAgainstOracle$'
values_held+='|TestNoSquares$|TestGrowth$|TestLongWord$|TestLongWordMemory$|TestMergeAgainstSlow$|TestScannersAgainstPatterns$'
values_held+='|TestMatchersAgainstPatterns$|TestShortWaysAgainstPipeline$|TestPublishedShortWays$|TestNormalForms$'

# starting_goroutines are the packages that start goroutines, themselves or in their tests, read off the sources, but for cuda, whose threads are
# the PTX machine's.
starting_goroutines() {
  grep -rlE '^\s*go [a-z]|\.Go\(func' --include='*.go' --exclude-dir=build . | xargs dirname | sort -u | grep -vx ./cuda
}

# packages_with PATTERN FOLDER: the packages below FOLDER that hold tests of the pattern's names. A name that no test has any longer is an
# error: a pattern must not leave out in silence what was renamed.
packages_with() {
  local name found
  for name in ${1//|/ }; do
    found=$(grep -rlE --include='*_test.go' "^func ${name/%\$/\\(}" "$2") || { echo "no test below $2 is named $name" >&2; return 1; }
    dirname $found
  done | sort -u
}

# tests_named PATTERN FOLDER ARGUMENT…: go test of those tests alone.
tests_named() {
  local names=$1 packages
  packages=$(packages_with "$1" "$2")
  shift 2
  tests -run "$names" "$@" $packages
}

# fuzz_all SECONDS: every fuzz target for so long, two at a time with one worker each. A package is compiled once for all of its targets.
fuzz_all() {
  local folder program target programs=$build/fuzzprograms
  rm -rf "$programs"
  mkdir -p "$programs"
  export -f fuzz
  export build
  for folder in $(grep -rlE --include='*_test.go' '^func Fuzz' . | xargs dirname | sort -u); do
    program=$programs/${folder//[\/.]/-}
    go test -c -vet=off -fuzz Fuzz -o "$program" "$folder"
    for target in $(cd "$folder" && "$program" -test.list '^Fuzz'); do printf '%s\n' "$folder $program $target $1"; done
  done | xargs -P 2 -L 1 bash -c 'fuzz "$@" || fuzz "$@"' fuzz_all
}

# fuzz FOLDER PROGRAM TARGET SECONDS: the default time for minimising would spend all of it on one input. When time ends in the middle of a call,
# the test says that a deadline was exceeded and calls it a failure: that alone is worth a second try, an input that fails is not.
fuzz() {
  local said=$2-$3.txt
  (cd "$1" && "$2" -test.run '^$' -test.fuzz "^$3\$" -test.fuzztime "$4s" -test.fuzzminimizetime 10x -test.timeout 30m -test.parallel 1 \
    -test.fuzzcachedir "$build/fuzz") >"$said" 2>&1 && { echo "$1 $3: $(grep execs "$said" | tail -1)"; return; }
  cat "$said"
  ! grep -q 'Failing input' "$said" || exit 255 # which ends xargs
  return 1
}

# instruction_sets: those of the kernels that this processor has, one a line.
instruction_sets() {
  local pair
  for pair in scalar:fpu avx2:avx2 avx512:avx512f avx512bf16:avx512_bf16 amx:amx_bf16; do
    if grep -qw "${pair#*:}" /proc/cpuinfo; then echo "${pair%:*}"; else echo "this processor has no ${pair%:*}" >&2; fi
  done
}
