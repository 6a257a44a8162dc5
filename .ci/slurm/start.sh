#!/usr/bin/env bash
# start.sh DIR: a one-node Slurm cluster that needs no systemd, with its configuration, keys, state and logs in DIR. Needs root, and a host name
# that resolves to this machine alone. Prints SLURM_CONF=FILE for the caller to export; stop.sh DIR ends it.
set -euo pipefail
mkdir -p "$1"/{log,state,spool}
dir=$(cd "$1" && pwd -P)
mkdir -p -m 700 "$dir/munge"
(umask 077 && head -c 128 /dev/urandom >"$dir/munge/key")
host=$(hostname -s)
case $(getent ahostsv4 "$(hostname)" | sed -n '1s/ .*//p') in
127.*) ;;
*) echo "start.sh: the host name must resolve to 127.0.0.1: Slurm listens on what it resolves to" >&2; exit 1 ;;
esac
. "${0%/*}/../daemons.sh"
port=16817
while answers $port || answers $((port + 1)); do port=$((port + 2)); done

cat >"$dir/slurm.conf" <<CONF
ClusterName=ci
SlurmctldHost=$host(127.0.0.1)
SlurmctldPort=$port
SlurmdPort=$((port + 1))
CommunicationParameters=NoCtldInAddrAny,NoInAddrAny
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
CredType=cred/munge
AuthInfo=socket=$dir/munge.socket
StateSaveLocation=$dir/state
SlurmdSpoolDir=$dir/spool
SlurmctldPidFile=$dir/slurmctld.pid
SlurmdPidFile=$dir/slurmd.pid
SlurmctldLogFile=$dir/log/slurmctld.log
SlurmdLogFile=$dir/log/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
MpiDefault=none
MailProg=/bin/true
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SchedulerParameters=batch_sched_delay=0,sched_interval=5,bf_interval=5
ReturnToService=2
MinJobAge=3600
KillWait=5
NodeName=$host NodeAddr=127.0.0.1 $(slurmd -C | sed -n '1s/^NodeName=[^ ]* //p') State=UNKNOWN
PartitionName=ci Nodes=$host Default=YES MaxTime=INFINITE State=UP
CONF

export SLURM_CONF=$dir/slurm.conf
trap 'echo "start.sh: failed; the logs are in $dir/log" >&2; "${0%/*}/stop.sh" "$dir"' ERR
munge_works() { munge -n --socket="$dir/munge.socket" | unmunge --socket="$dir/munge.socket"; }
node_idles() { [ "$(sinfo -h -o %T)" = idle ]; }
# --force: munged otherwise wants every folder above its socket open to all.
begin munged munged --foreground --force --socket="$dir/munge.socket" --key-file="$dir/munge/key" \
  --seed-file="$dir/munge/seed" --pid-file="$dir/munge/pid" --log-file="$dir/munge/log"
until_true 30 munge munge_works
begin slurmctld slurmctld -D -f "$SLURM_CONF"
begin slurmd slurmd -D -f "$SLURM_CONF"
until_true 30 "idle node" node_idles
echo "SLURM_CONF=$SLURM_CONF"
