"""Runs Nova on one machine: database, migrations, static files, web server and background cluster under one parent.

The parent binds the port before anything else, hands the socket to the web process, and starts each child in a session
of its own, so that Ctrl-C reaches only the parent, which then ends them in order. A pipe that only the parent holds open
ends the children too when the parent is killed without a chance to say so.
"""

from __future__ import annotations

import errno
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from types import FrameType

from django.conf import settings
from django.core.management import call_command
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

Say = Callable[[str], None]
#: How long children may take to finish what they are doing before they are killed.
GRACE_SECONDS = 15
#: A child that ends by itself is started again this often in a minute, then Nova gives up.
RESTARTS_PER_MINUTE = 5


class PortTaken(Exception):
    """The address cannot be listened on; the message says why and what to do."""


def open_port(*, host: str, port: int) -> socket.socket:
    """A listening socket on `host` and `port` (0 takes any free one).

    Raises:
        PortTaken: another program listens there, or the address is not this machine's.
    """
    another = f"choose another one, such as --port {port + 1 if 0 < port < 65535 else 8001}"
    try:
        family, kind, protocol, _name, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE | socket.AI_NUMERICSERV
        )[0]
    except (socket.gaierror, OverflowError) as error:
        raise PortTaken(f"{host}:{port} is no address to listen on ({error}).") from None
    listener = socket.socket(family, kind, protocol)
    try:
        # Some systems let two programs listen on overlapping addresses; whoever answers is there first.
        if port:
            with socket.socket(family, kind, protocol) as probe:
                probe.settimeout(0.5)
                if probe.connect_ex(address) == 0:
                    raise PortTaken(f"Port {port} of {host} is taken by another program. Stop that one, or {another}.")
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(128)
    except PortTaken:
        listener.close()
        raise
    except OSError as error:
        listener.close()
        if error.errno == errno.EADDRINUSE:
            raise PortTaken(f"Port {port} of {host} is taken by another program. Stop that one, or {another}.") from None
        if error.errno == errno.EACCES:
            raise PortTaken(f"You may not listen on port {port} of {host}; {another}.") from None
        raise PortTaken(f"Nova cannot listen on {host}:{port}: {error.strerror}.") from None
    return listener


def web_address(listener: socket.socket) -> str:
    """The address to type into a browser on this machine."""
    host, port = listener.getsockname()[:2]
    host = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, f"[{host}]" if ":" in host else host)
    return f"http://{host}:{port}"


def prepare(*, say: Say) -> None:
    """Make database, schema and static files ready. Safe to repeat, and to interrupt: a migration is done whole or not at all."""
    embedded = settings.DATABASES["default"]["ENGINE"] == "nova.embedded"
    say("Database: the embedded PostgreSQL" if embedded else "Database: the server of DATABASE_URL")
    connection.ensure_connection()
    executor = MigrationExecutor(connection)
    waiting = len(executor.migration_plan(executor.loader.graph.leaf_nodes()))
    if waiting:
        say(f"Schema: {waiting} migrations to run")
        call_command("migrate", verbosity=0, interactive=False)
    say("Schema: up to date")
    settings.STATIC_ROOT.mkdir(parents=True, exist_ok=True)
    if not settings.WHITENOISE_USE_FINDERS:
        call_command("collectstatic", verbosity=0, interactive=False)
        say(f"Static files: {settings.STATIC_ROOT}")


@dataclass
class _Child:
    name: str
    arguments: list[str]
    inherited: tuple[int, ...]
    process: subprocess.Popen[bytes] | None = None
    started: list[float] = field(default_factory=list)

    def start(self, pipe: int) -> None:
        self.started.append(time.monotonic())
        self.process = subprocess.Popen(
            [sys.executable, "-m", "nova.child", str(pipe), *self.arguments],
            cwd=settings.BASE_DIR,
            stdin=subprocess.DEVNULL,
            pass_fds=(pipe, *self.inherited),
            start_new_session=True,
        )

    def ended(self) -> bool:
        return self.process is not None and self.process.poll() is not None

    def signal_group(self, number: int) -> None:
        if self.process is not None:
            try:
                os.killpg(self.process.pid, number)
            except (ProcessLookupError, PermissionError):  # macOS says the latter of a group of zombies
                return


def serve(*, listener: socket.socket, say: Say) -> int:
    """Run web server and background cluster until Ctrl-C, SIGTERM or SIGHUP; all children are gone when it returns.

    Returns the exit code: 0 after a signal, 1 when a part kept failing.
    """
    stop = threading.Event()
    caught: list[int] = []

    def on_signal(number: int, _frame: FrameType | None) -> None:
        caught.append(number)
        stop.set()

    before = {number: signal.signal(number, on_signal) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    reading, writing = os.pipe()
    children = [
        _Child("web server", ["web", str(listener.fileno())], (listener.fileno(),)),
        _Child("background cluster", ["tasks"], ()),
    ]
    try:
        for child in children:
            child.start(reading)
        failed = _watch(children, reading, stop, say)
        say(f"Stopping: {failed} keeps failing." if failed else "Stopping ...")
        _end(children, caught)
        say("Stopped.")
        return 1 if failed else 0
    finally:
        for child in children:
            child.signal_group(signal.SIGKILL)
        os.close(writing)
        os.close(reading)
        for number, handler in before.items():
            signal.signal(number, handler)


def _watch(children: list[_Child], pipe: int, stop: threading.Event, say: Say) -> str:
    """Start children again that end by themselves. Returns when told to stop (""), or with the name of one that keeps failing."""
    while not stop.wait(0.2):
        for child in children:
            if not child.ended() or child.process is None:
                continue
            child.signal_group(signal.SIGKILL)  # what it may have left behind
            now = time.monotonic()
            child.started = [moment for moment in child.started if now - moment < 60]
            if len(child.started) >= RESTARTS_PER_MINUTE:
                return child.name
            say(f"The {child.name} ended by itself (code {child.process.returncode}); it is started again.")
            if stop.wait(1):
                return ""
            child.start(pipe)
    return ""


def _end(children: list[_Child], caught: list[int]) -> None:
    """Ask the children to finish, wait, and kill what is left; a second Ctrl-C kills at once."""
    for child in children:
        if child.process is not None and not child.ended():
            child.process.terminate()
    deadline = time.monotonic() + GRACE_SECONDS
    while not all(child.ended() for child in children) and time.monotonic() < deadline and len(caught) < 2:
        time.sleep(0.05)
    for child in children:
        child.signal_group(signal.SIGKILL)
        if child.process is not None:
            child.process.wait()
