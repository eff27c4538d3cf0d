"""`python -m eda_cli` is `eda`."""

from eda_cli.cli import main

main()
