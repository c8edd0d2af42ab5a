"""When background work runs: the interval is declared beside the function and written to django-q2's table after migrating.

A module `<app>/tasks.py` says

    @every(minutes=1)
    def take_waiting() -> int: ...

Intervals are UTC wall time of the cluster. A schedule that no function declares any longer is removed.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from django.utils.module_loading import autodiscover_modules

Task = TypeVar("Task", bound=Callable[..., Any])
PREFIX = "nova: "

_declared: dict[str, int] = {}


def every(*, minutes: int) -> Callable[[Task], Task]:
    """Declare that a task runs every so many minutes, on one of the workers. It must be safe to run twice.

    Raises:
        ValueError: less than a minute, or more than a day.
    """
    if not 1 <= minutes <= 1440:
        raise ValueError(f"A schedule runs every 1 to 1440 minutes, not {minutes}.")

    def declare(task: Task) -> Task:
        _declared[f"{task.__module__}.{task.__name__}"] = minutes
        return task

    return declare


def declared() -> dict[str, int]:
    """Dotted name -> minutes, of all tasks modules of the installed apps."""
    autodiscover_modules("tasks")
    return dict(_declared)


def write_schedules(**_signal: Any) -> None:
    """Bring django-q2's schedules in line with what the tasks declare; those made by staff stay. Runs after migrations."""
    from django_q.models import Schedule

    wanted = declared()
    for function, minutes in wanted.items():
        Schedule.objects.update_or_create(
            name=PREFIX + function,
            defaults={"func": function, "schedule_type": Schedule.MINUTES, "minutes": minutes, "repeats": -1},
        )
    Schedule.objects.filter(name__startswith=PREFIX).exclude(name__in=[PREFIX + function for function in wanted]).delete()
