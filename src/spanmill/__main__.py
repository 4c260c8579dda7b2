"""`python -m spanmill` is the `spanmill` command."""

from spanmill.cli import main

main()
