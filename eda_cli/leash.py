"""A child stops when its parent is gone. Knows nothing of what the child does.

The leash is the child's stdin: a pipe (or socket) whose other end only the parent holds. When the parent
ends, however it ends, the kernel closes that end and the child reads end-of-file.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable

GRACE_S = 2.0  # for an orderly end once the parent is gone; everything is gone within 5 s


def hold(on_gone: Callable[[], None], fd: int = 0) -> None:
    """Call `on_gone` once the parent is gone, and end this process GRACE_S later if it is still there.

    `on_gone` runs in a thread of its own: it should only set a flag, or end the process.
    """
    threading.Thread(target=_wait, args=(on_gone, fd), name="leash", daemon=True).start()


def _wait(on_gone: Callable[[], None], fd: int) -> None:
    # os.read, not sys.stdin: a buffered read in a thread aborts the interpreter's exit.
    while True:
        try:
            if not os.read(fd, 1):
                break
        except InterruptedError:
            continue
        except OSError:
            break
    on_gone()
    time.sleep(GRACE_S)
    os._exit(70)
