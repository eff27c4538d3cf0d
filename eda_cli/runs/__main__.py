"""`python -m eda_cli.runs RUN_FOLDER LOCK_FD leashed|detached`: the supervisor of a run."""

from __future__ import annotations

import sys

from eda_cli.runs.supervisor import main

raise SystemExit(main(sys.argv[1], int(sys.argv[2]), sys.argv[3] == "leashed"))
