#!/usr/bin/env bash
# start.sh DIR APISERVER: etcd and a Kubernetes API server on 127.0.0.1, and nothing that would run what they are given, with keys, data and logs in
# DIR. Prints the server's address; DIR/token is what it lets in, DIR/certificates/apiserver.crt what it answers with. stop.sh DIR ends both.
set -euo pipefail
mkdir -p "$1"/{log,data,certificates}
dir=$(cd "$1" && pwd -P)
. "${0%/*}/../daemons.sh"
port=26379
while answers $port || answers $((port + 1)) || answers $((port + 2)); do port=$((port + 3)); done
peer=http://127.0.0.1:$port store=http://127.0.0.1:$((port + 1)) server=https://127.0.0.1:$((port + 2))

(umask 077 && head -c 24 /dev/urandom | od -An -tx1 | tr -d ' \n' >"$dir/token")
(umask 077 && echo "$(cat "$dir/token"),checks,checks,system:masters" >"$dir/tokens.csv")
(umask 077 && openssl genrsa -out "$dir/accounts.key" 2048 2>/dev/null)

trap 'echo "start.sh: failed; the logs are in $dir/log" >&2; "${0%/*}/stop.sh" "$dir"' ERR
begin etcd etcd --name checks --data-dir "$dir/data" --listen-client-urls "$store" --advertise-client-urls "$store" --listen-peer-urls "$peer" \
  --initial-advertise-peer-urls "$peer" --initial-cluster "checks=$peer"
until_true 120 etcd curl -sf "$store/health"
begin apiserver "$2" --etcd-servers="$store" --bind-address=127.0.0.1 --advertise-address=127.0.0.1 --secure-port=$((port + 2)) \
  --cert-dir="$dir/certificates" --token-auth-file="$dir/tokens.csv" --authorization-mode=RBAC --service-cluster-ip-range=10.99.0.0/24 \
  --endpoint-reconciler-type=none --disable-admission-plugins=ServiceAccount --service-account-issuer="$server" \
  --service-account-key-file="$dir/accounts.key" --service-account-signing-key-file="$dir/accounts.key"
asks() { curl -sf --cacert "$dir/certificates/apiserver.crt" -H "Authorization: Bearer $(cat "$dir/token")" "$server$1"; }
until_true 120 "API server" asks /readyz
until_true 120 "namespace default" asks /api/v1/namespaces/default
echo "$server"
