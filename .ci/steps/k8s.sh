# The manifests that launch prints, read strictly by the Kubernetes API's own types and taken by a real API server; both refuse a broken one.
# debian: gcc libc6-dev etcd-server curl openssl
go build -o "$build/avssnative" ./cmd/avssnative
go -C tools/k8scheck vet .
go -C tools/k8scheck build -o "$build/k8scheck" .
manifests() {
  "$build/avssnative" launch k8s --image registry.example/avssnative:1 --shards 4 --state /data/state --volume data:/data --volume models:/models \
    --cpus 8 --gpus 1 --memory 32GiB --time 4h --out "/data/it's.json" -- "$@"
}
manifests score --model /models/m --calib "/data/the text.jsonl" >"$build/score.k8s.yaml"
manifests bench --model /models/m --metrics search --repair auto >"$build/bench.k8s.yaml"
printf 'models:\n  - {name: a, model: /models/a}\n  - {name: b, model: /models/b, shards: 7, flags: [--drop, "3,7"]}\n' >"$build/sweep.yaml"
"$build/avssnative" launch k8s --sweep "$build/sweep.yaml" --image registry.example/avssnative:1 --shards 4 --state /data/state --volume data:/data -- eval \
  >"$build/sweep.k8s.yaml"
for job in score bench sweep; do "$build/k8scheck" <"$build/$job.k8s.yaml"; done
# The last one has a field that the API does not know.
if manifests eval | sed s/completionMode/completionmode/ | "$build/k8scheck"; then exit 1; fi

# The server is compiled once: it takes minutes.
server=$cache/kube-apiserver-$(cat .ci/k8s/go.mod .ci/k8s/go.sum | sha256sum | cut -c1-16)
if [ ! -x "$server" ]; then
  go -C .ci/k8s build -trimpath -ldflags '-s -w' -o "$server.new" k8s.io/kubernetes/cmd/kube-apiserver
  mv "$server.new" "$server"
fi
dir=$(mktemp -d)
trap '.ci/k8s/stop.sh "$dir"; rm -rf "$dir"' EXIT
url=$(.ci/k8s/start.sh "$dir" "$server")
applied() { "$build/k8scheck" --server "$url" --certificate "$dir/certificates/apiserver.crt" --token "$dir/token"; }
for job in score bench sweep; do applied <"$build/$job.k8s.yaml"; done
# refused WHAT PATTERN: of the score job as stdin has it, the server must not take the first one, and says why.
refused() {
  local said
  if said=$(applied 2>&1); then echo "taken in spite of $1"; exit 1; fi
  grep -q "$2" <<<"$said" || { echo "$1: refused with other words: $said"; exit 1; }
}
sed s/completionMode/completionmode/ "$build/score.k8s.yaml" | refused "a misspelt field" 'completionmode'
sed 's/completionMode: Indexed/completionMode: NonIndexed/' "$build/score.k8s.yaml" | refused "retries an index without indices" 'backoffLimitPerIndex'
sed 's/^  name: avssnative$/  name: Avssnative/' "$build/score.k8s.yaml" | refused "a name in capitals" 'metadata.name'
sed 's/claimName: data/claimName: ""/' "$build/score.k8s.yaml" | refused "a claim without a name" 'claimName'
