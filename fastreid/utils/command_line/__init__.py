"""How a command runs: its exit code, its output, and what Ctrl-C does."""
