# What start.sh and stop.sh of a step's daemons share. They are sourced into a script that has put the daemons' folder in `dir`, with a folder log in it.

# answers PORT: somebody listens there.
answers() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

# begin NAME PROGRAM ARGUMENT…: in a session of its own, so that the caller's end is not its end.
begin() {
  setsid "${@:2}" </dev/null >"$dir/log/$1.out" 2>&1 &
  echo "$! $1" >>"$dir/processes"
}

# until_true SECONDS WHAT COMMAND…: so long at most.
until_true() {
  local i seconds=$1 what=$2
  for ((i = 0; i < 10 * seconds; i++)); do
    if "${@:3}" >/dev/null 2>&1; then return; fi
    sleep 0.1
  done
  echo "start.sh: no $what in $seconds s" >&2
  return 1
}

# lives PROCESS: a number that the system has given to another process since then is known by its command line.
lives() { grep -qaF -- "$dir/" "/proc/$1/cmdline" 2>/dev/null; }

# end_all: the processes that were begun, the last one first, and no others.
end_all() {
  local process i
  tac "$dir/processes" | while read -r process _; do
    lives "$process" || continue
    kill "$process"
    for ((i = 0; i < 100; i++)); do
      lives "$process" || break
      sleep 0.1
    done
    ! lives "$process" || kill -KILL "$process"
  done
  rm "$dir/processes"
}
