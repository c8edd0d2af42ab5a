"""The server as a program: its settings, what it sees of the environment, and whether a process is one."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path


def server_environment() -> dict[str, str]:
    """What the server's programs see: a fixed locale, and no PG* settings of the caller."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("PG", "LC_")) and name not in ("LANG", "LANGUAGE")
    }
    return {**kept, "LC_ALL": "C.UTF-8", "TZ": "UTC"}


def server_settings(*, socket_folder: Path, port: str) -> dict[str, str]:
    """Settings measured on two cores; memory is scaled to the machine."""
    memory = memory_mb()
    return {
        "listen_addresses": "''",
        "port": port,
        "unix_socket_directories": f"'{socket_folder}'",
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


def memory_mb() -> int:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // (1024 * 1024)
    except (ValueError, OSError):
        return 2048


def is_server(pid: int) -> bool:
    """False when no process has this number, or one that is no PostgreSQL; True where that cannot be told."""
    if Path("/proc/self/stat").exists():
        try:
            name, _, rest = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")
        except OSError:
            return False
        return "postgres" in name and rest.split()[0] != "Z"  # a zombie has ended, though nobody collected it
    try:
        found = subprocess.run(["ps", "-o", "comm=", "-p", str(pid)], capture_output=True, text=True, check=False)
    except OSError:
        return True
    return "postgres" in found.stdout
