package command

import "fmt"

// description is what the program's help and its manual say beside commands and flags.
var description = fmt.Sprintf(`Flags stand in front of arguments. Each has a variable, AVSSNATIVE_ and its
name in capitals with _ for -, and may stand in the file of --config: a flag
wins over its variable, that over the file. Results go to stdout, progress to
stderr.

Exit codes:
  %-3d  done
  %-3d  failed; a line on stderr names the thing and says what to do
  %-3d  called wrongly; the same
  %-3d  merge: a round is decided, and the shards are to run again
  %-3d  interrupted; nothing half-written is left`, exitDone, exitFailed, exitUsage, exitGoesOn, exitInterrupted)
