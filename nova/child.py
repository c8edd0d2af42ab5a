"""A process started by `nova.running`: `python -m nova.child PIPE web SOCKET` or `python -m nova.child PIPE tasks`.

PIPE ends when the parent is gone, however it went; then this process ends too, with all it started.
"""

from __future__ import annotations

import os
import signal
import socket
import sys
import threading
import time
from types import FrameType

WEB_THREADS = 8


def main() -> int:
    """Run one part of Nova until SIGTERM."""
    pipe, part = int(sys.argv[1]), sys.argv[2]
    threading.Thread(target=_follow_parent, args=(pipe,), daemon=True, name="nova-parent").start()
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "nova.settings")
    import django

    django.setup()
    if part == "web":
        _serve_web(int(sys.argv[3]))
    else:
        from django.core.management import call_command

        call_command("qcluster")
    return 0


def _serve_web(descriptor: int) -> None:
    from waitress import serve

    from nova.wsgi import application

    signal.signal(signal.SIGTERM, _leave)
    # One process with threads: it waits for the database most of the time. More processes: see README, production.
    serve(
        application,
        sockets=[socket.socket(fileno=descriptor)],
        threads=WEB_THREADS,
        ident="Nova",
        channel_timeout=120,
        clear_untrusted_proxy_headers=True,
        _quiet=True,
    )


def _leave(_number: int, _frame: FrameType | None) -> None:
    raise SystemExit(0)


def _follow_parent(pipe: int) -> None:
    while True:
        try:
            if not os.read(pipe, 1):
                break
        except InterruptedError:
            continue
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(20)
    os.killpg(os.getpgrp(), signal.SIGKILL)


if __name__ == "__main__":
    sys.exit(main())
