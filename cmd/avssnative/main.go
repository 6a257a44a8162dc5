// Command avssnative finds the layers a language model can do without, leaves them out, and proves what that cost.
package main

import "avssnative/cmd/avssnative/command"

func main() { command.Main() }
