"""`manage.py up` with real processes: it serves, says what is wrong, and leaves nothing behind however it ends."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def environment() -> Iterator[dict[str, str]]:
    """A NOVA_HOME of its own, whose schema the first start makes."""
    folder = Path(tempfile.mkdtemp(prefix="nova-", dir="/tmp"))
    folder.chmod(0o755)
    kept = {name: value for name, value in os.environ.items() if name not in ("DATABASE_URL", "DJANGO_SETTINGS_MODULE")}
    yield {**kept, "NOVA_HOME": str(folder / "home"), "NOVA_ALLOW_CHMOD": "1", "NOVA_WORKERS": "1", "PYTHONUNBUFFERED": "1"}
    shutil.rmtree(folder, ignore_errors=True)


class Up:
    """A running `manage.py up`: its address, its output, its children."""

    def __init__(self, environment: dict[str, str]) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "manage.py", "up", "--port", "0"],
            cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True,
        )  # fmt: skip
        assert self.process.stdout
        self.lines: list[str] = []
        for line in self.process.stdout:
            self.lines.append(line)
            if line.startswith("Nova is at "):
                break
        else:
            raise AssertionError("".join(self.lines))
        self.address = self.lines[-1].split()[3]

    def fetch(self, path: str) -> str:
        with urllib.request.urlopen(self.address + path, timeout=30) as answer:
            return str(answer.read().decode())

    def children(self) -> set[int]:
        return set(descendants(self.process.pid))

    def end(self, number: int) -> str:
        self.process.send_signal(number)
        assert self.process.stdout
        rest = self.process.stdout.read()
        self.process.wait(timeout=60)
        return "".join(self.lines) + rest


def descendants(pid: int) -> Iterator[int]:
    found = subprocess.run(["ps", "-A", "-o", "pid=,ppid="], capture_output=True, text=True, check=True).stdout
    parents = {int(child): int(parent) for child, parent in (line.split() for line in found.splitlines())}
    wanted = [pid]
    while wanted:
        parent = wanted.pop()
        for child in (child for child, above in parents.items() if above == parent):
            yield child
            wanted.append(child)


def running(pid: int) -> bool:
    found = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True, check=False).stdout.strip()
    return bool(found) and not found.startswith("Z")


def all_gone(pids: set[int], *, seconds: float = 30) -> bool:
    deadline = time.monotonic() + seconds
    while any(running(pid) for pid in pids):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.1)
    return True


def wait_for_cluster(up: Up) -> set[int]:
    """Web server, cluster, and the cluster's own children: sentinel, worker, monitor, pusher."""
    deadline = time.monotonic() + 60
    while len(up.children()) < 6:
        assert time.monotonic() < deadline, up.children()
        time.sleep(0.1)
    return up.children()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_serves_the_sign_in_page_and_a_signal_ends_all_of_it(environment, number):
    up = Up(environment)
    try:
        children = wait_for_cluster(up)
        page = up.fetch("/admin/login/?next=/admin/")
        assert 'name="username"' in page and 'name="password"' in page
        assert len(up.fetch("/static/unfold/css/styles.css")) > 1000
        said = up.end(number)
    finally:
        up.process.kill()
    assert up.process.returncode == 0
    assert "createsuperuser" in said and said.endswith("Stopped.\n")
    assert "Traceback" not in said
    assert all_gone(children)
    assert not (Path(environment["NOVA_HOME"]) / "postgres" / "postmaster.pid").exists()


def test_children_end_when_the_parent_is_killed_without_a_word(environment):
    up = Up(environment)
    children = wait_for_cluster(up)
    up.process.kill()
    up.process.communicate(timeout=60)
    assert all_gone(children)


@pytest.mark.slow
def test_a_part_that_dies_is_started_again(environment):
    up = Up(environment)
    try:
        wait_for_cluster(up)
        web = min(descendants(up.process.pid))
        os.kill(web, signal.SIGKILL)
        deadline = time.monotonic() + 30
        while web in up.children() or len(up.children()) < 6:
            assert time.monotonic() < deadline
            time.sleep(0.1)
        assert 'name="username"' in up.fetch("/admin/login/")
    finally:
        said = up.end(signal.SIGTERM)
    assert "ended by itself" in said


def test_a_taken_port_is_named_with_the_way_out(environment):
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        done = subprocess.run(
            [sys.executable, "manage.py", "up", "--port", str(port)], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60, check=False
        )  # fmt: skip
    assert done.returncode == 1
    assert done.stderr.strip() == (
        f"CommandError: Port {port} of 127.0.0.1 is taken by another program. Stop that one, or choose another one, such as --port {port + 1}."
    )


def test_an_address_of_another_machine_is_refused(environment):
    done = subprocess.run(
        [sys.executable, "manage.py", "up", "--host", "192.0.2.1"], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60, check=False
    )  # fmt: skip
    assert done.returncode == 1 and "Nova cannot listen on 192.0.2.1:8000" in done.stderr
