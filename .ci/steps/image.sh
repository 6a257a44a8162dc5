# The image's tree without an image: the program and the libraries that it names, in a root of its own, run by a user without rights.
# debian: gcc libc6-dev
tree=$(mktemp -d)
trap 'rm -rf "$tree"' EXIT
line=$(sed -n 's/^RUN go build/go build/p' Dockerfile)
[ -n "$line" ] || { echo "Dockerfile: no line that builds the program"; return 1; }
mkdir -p "$tree/usr/local/bin" "$tree/work" "$tree/home/avssnative" "$tree/tmp" "$tree/proc" "$tree/dev"
eval "${line/ \/avssnative / \"$tree/usr/local/bin/avssnative\" }"
ldd "$tree/usr/local/bin/avssnative" | grep -o '/[^ ]*' | while read -r library; do install -D "$library" "$tree$library"; done
chmod 755 "$tree"
chown 65532 "$tree/work" "$tree/home/avssnative"
run=$(sed -n 's/^ENTRYPOINT \["\(.*\)"\]$/\1/p' Dockerfile)
within() { env -i PATH="$PATH" HOME=/home/avssnative chroot --userspec=65532:65532 "$tree" "$@"; }
said=$(within "$run" run --limit 20 --calib-tokens 2048 --no-timing --out /work/pruned 2>&1) ||
  { echo "$said"; return 1; }
grep 'can do without layers' <<<"$said"
[ -s "$tree/work/pruned/model.safetensors" ]
[ "$(stat -c %u "$tree/work/pruned/model.safetensors")" = 65532 ]
