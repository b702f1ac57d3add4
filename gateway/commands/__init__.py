"""The gateway's subcommands, one module each."""
