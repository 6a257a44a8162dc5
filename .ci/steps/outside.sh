# Programs of somebody else: README's, and those of docs/adding, are built as modules of their own outside the tree, and do what they say.
# debian: gcc libc6-dev
outside=$(mktemp -d)
trap 'rm -rf "$outside"' EXIT

# program NAME PAGE: the page's first block of Go that is a program, built in a folder of its own.
program() {
  mkdir "$outside/$1"
  awk '/^```go$/ { inside = 1; block = ""; next }
    /^```$/ && inside { inside = 0; if (block ~ /(^|\n)package main\n/) { printf "%s", block; exit } }
    inside { block = block $0 "\n" }' "$2" >"$outside/$1/main.go"
  local unformatted
  unformatted=$(gofmt -l "$outside/$1")
  [ -z "$unformatted" ] || { echo "$2: the program is not gofmt'ed"; return 1; }
  cp go.sum "$outside/$1/"
  (
    cd "$outside/$1"
    go mod init "$1" 2>/dev/null
    go mod edit -require avssnative@v0.0.0 -replace "avssnative=$root"
    go build -mod=mod -o program .
  )
}

# says NAME PATTERN ARGUMENT…: what the program prints has a line of that form.
says() {
  local name=$1 pattern=$2
  shift 2
  (cd "$outside/$name" && ./program "$@" 2>said.err >said.out) || { cat "$outside/$name"/said.*; return 1; }
  grep -E "$pattern" "$outside/$name/said.out" || { echo "$name $*: no line like $pattern in"; cat "$outside/$name"/said.*; return 1; }
}

head -1 <(awk '/^```go$/ { getline; print; exit }' README.md) | grep -qx 'package main' || { echo "README's first Go block is no program"; exit 1; }
program readme README.md
says readme '^without layers \[[0-9 ]+\]: 0\.[0-9]+ right, before 0\.[0-9]+$'
[ -e "$outside/readme/pruned/model.safetensors" ]
program metric docs/adding/metric.md
says metric '^share +[01]\.[0-9]+ ' score --calib-tokens 1024
says metric '^Report: ' run --metric share --drop 2 --calib-tokens 1024 --tasks small_world_sentiment --limit 8 --report report
grep 'How much a block adds' "$outside/metric/report/report.md"
program task docs/adding/task.md
says task '^weekdays +[01]\.[0-9]+ ' eval --tasks weekdays
program architecture docs/adding/architecture.md
says architecture '^own_parallel: 6 layers scored, layer \[[0-5]\] dropped, 5 written$'
program format docs/adding/format.md
says format '^[0-9]+ tensors of [0-9]+ bytes: log-likelihood (-[0-9.]+), the demo.s \1$'
