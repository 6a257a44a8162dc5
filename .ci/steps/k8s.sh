# The manifests that launch prints, read strictly by the Kubernetes API's own types, and one with a misspelt field refused.
# debian: gcc libc6-dev
go build -o "$build/avssnative" ./cmd/avssnative
go -C tools/k8scheck vet .
go -C tools/k8scheck build -o "$build/k8scheck" .
manifests() {
  "$build/avssnative" launch k8s --image registry.example/avssnative:1 --shards 4 --state /data/state --volume data:/data --volume models:/models \
    --cpus 8 --gpus 1 --memory 32GiB --time 4h --out "/data/it's.json" -- "$@"
}
manifests score --model /models/m --calib "/data/the text.jsonl" | "$build/k8scheck"
manifests bench --model /models/m | "$build/k8scheck"
printf 'models:\n  - {name: a, model: /models/a}\n  - {name: b, model: /models/b, shards: 7, flags: [--drop, "3,7"]}\n' >"$build/sweep.yaml"
"$build/avssnative" launch k8s --sweep "$build/sweep.yaml" --image registry.example/avssnative:1 --shards 4 --state /data/state --volume data:/data -- eval |
  "$build/k8scheck"
# The last one has a field that the API does not know.
if manifests eval | sed s/completionMode/completionmode/ | "$build/k8scheck"; then exit 1; fi
