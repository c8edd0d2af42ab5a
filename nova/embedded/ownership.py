"""Whose files the embedded server's are, and who may enter their folders. Nothing is opened to others without being told."""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import stat
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

#: The OS user that runs the server when Nova itself runs as root in a folder of root's.
SERVER_USER = "nova-postgres"


class PostgresError(RuntimeError):
    """The embedded server cannot be used; the message says why and what to do."""


@dataclass(frozen=True)
class ServerUser:
    """The unprivileged user that runs the server while Nova runs as root."""

    name: str
    uid: int
    gid: int

    def as_arguments(self) -> dict[str, Any]:
        """Arguments for subprocess that make a program run as this user."""
        return {"user": self.uid, "group": self.gid, "extra_groups": []}


def user_name(uid: int) -> str:
    """The name of an OS user, its number when it has none."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def server_user(home: Path) -> ServerUser | None:
    """The user that runs the server, None when that is ourselves (we are not root).

    Root in somebody's folder (`sudo`) runs it as that somebody, so that they can go on without root; in a folder of
    root's it is `SERVER_USER`, made when missing.

    Raises:
        PostgresError: that user could not be made.
    """
    if os.getuid() != 0:
        return None
    try:
        owner = home.stat()
    except FileNotFoundError:
        owner = None
    if owner is not None and owner.st_uid != 0:
        with contextlib.suppress(KeyError):  # a number without a name (a mounted folder): PostgreSQL refuses to run as such
            entry = pwd.getpwuid(owner.st_uid)
            return ServerUser(entry.pw_name, entry.pw_uid, entry.pw_gid)
    return _made_user()


def _made_user() -> ServerUser:
    if (found := _find_user()) is not None:
        return found
    command = ["useradd", "--system", "--no-create-home", "--shell", "/usr/sbin/nologin", SERVER_USER]
    if shutil.which("useradd") is None:
        command = ["adduser", "-S", "-D", "-H", "-s", "/sbin/nologin", SERVER_USER]
    try:
        problem = subprocess.run(command, capture_output=True, text=True, check=False).stderr.strip()
    except OSError as error:
        problem = str(error)
    if (found := _find_user()) is not None:
        return found
    raise PostgresError(
        f"PostgreSQL does not run as root, and the user {SERVER_USER} could not be made ({problem}). "
        "Start Nova as another user, or set DATABASE_URL."
    )


def _find_user() -> ServerUser | None:
    try:
        entry = pwd.getpwnam(SERVER_USER)
    except KeyError:
        return None
    return ServerUser(entry.pw_name, entry.pw_uid, entry.pw_gid)


def make_folder(folder: Path) -> None:
    """Make a folder and its parents. What root makes inside somebody's folder belongs to that somebody.

    Raises:
        OSError: it cannot be made.
    """
    missing = [place for place in [folder, *folder.parents] if not place.exists()]
    for place in reversed(missing):
        place.mkdir(exist_ok=True)
        if os.getuid() == 0:
            place.chmod(0o755)  # ours, just made: the server's user must pass, whatever the umask
            keep_owner(place)


def keep_owner(path: Path) -> None:
    """Root gives what it made to the owner of the folder that holds it."""
    if os.getuid() == 0:
        parent = path.parent.stat()
        if parent.st_uid != 0 and not parent.st_mode & stat.S_ISVTX:
            os.chown(path, parent.st_uid, parent.st_gid)


def open_way(user: ServerUser, target: Path) -> None:
    """Make sure that `user` can enter `target`; closed folders are named, and opened only with NOVA_ALLOW_CHMOD=1.

    Raises:
        PostgresError: a folder on the way is closed to that user.
    """
    for folder in _way(target):
        mode = folder.stat()
        if mode.st_uid == user.uid:
            bit = stat.S_IXUSR
        elif mode.st_gid == user.gid:
            bit = stat.S_IXGRP
        else:
            bit = stat.S_IXOTH
        if mode.st_mode & bit:
            continue
        if os.environ.get("NOVA_ALLOW_CHMOD") != "1":
            raise PostgresError(
                f"Nova runs as root, PostgreSQL as the user {user.name}, who may not enter the folder {folder}. Start Nova as an "
                f"ordinary user, move it, allow others to enter that folder (chmod o+x {folder}), or set NOVA_ALLOW_CHMOD=1 to let Nova do so."
            )
        folder.chmod(stat.S_IMODE(mode.st_mode) | bit)


def _way(target: Path) -> Iterator[Path]:
    """Every folder passed on the way to `target`, as written and behind symbolic links."""
    seen: set[Path] = set()
    for end in (target, target.resolve()):
        for folder in [*reversed(end.parents), end]:
            if folder not in seen:
                seen.add(folder)
                yield folder


def check_home(home: Path) -> None:
    """Refuse a folder of somebody else's.

    Raises:
        PostgresError: we are neither root nor its owner.
    """
    owner = home.stat().st_uid
    if os.getuid() not in (0, owner):
        raise PostgresError(
            f"{home} belongs to the user {user_name(owner)}, you are {user_name(os.getuid())}. Set NOVA_HOME to a folder of your own."
        )


def check_private(folder: Path, user: ServerUser | None) -> None:
    """Refuse a socket's folder in a shared place that somebody else made under our name.

    Raises:
        PostgresError: it is a link, or belongs to another user.
    """
    found = folder.lstat()
    allowed = {os.getuid()} | ({user.uid} if user is not None else set())
    if not stat.S_ISDIR(found.st_mode) or found.st_uid not in allowed:
        raise PostgresError(
            f"{folder}, the folder of the database's socket, belongs to the user {user_name(found.st_uid)}. Set NOVA_HOME to a short "
            "folder of your own, so that the socket lies there."
        )
