// Command sluice is a reverse proxy: it takes HTTP requests, checks and routes them, and forwards them to pools of origin servers.
//
// "sluice --help" lists the commands, and docs/commands.md says more about each. The program is put together in internal/app; the
// command line is read in internal/cli.
package main

import (
	"os"

	"sluice/internal/cli"
)

func main() { os.Exit(cli.Main(os.Args[1:], os.Stdout, os.Stderr)) }
