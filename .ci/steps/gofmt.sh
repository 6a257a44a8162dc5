# Every Go file is as gofmt writes it.
files=$(gofmt -l $(git ls-files '*.go'))
[ -z "$files" ] || { echo "not gofmt'ed: $files"; exit 1; }
