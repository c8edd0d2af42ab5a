"""Stretches of time that Amazon takes in one call."""

from __future__ import annotations

from datetime import datetime, timedelta

from channels.amazon.client.caller import moment
from channels.amazon.client.walk import read_place

#: Amazon wants the end of a window to lie at least two minutes back.
DELAY = timedelta(minutes=2)


def windows(
    start: datetime, end: datetime, *, now: datetime, longest: timedelta | None = None, resume: str = ""
) -> list[tuple[str, datetime, datetime]]:
    """(name, from, to) of the windows between two aware moments, none longer than `longest`, none later than two minutes ago.

    A walk that is resumed later keeps the window it was in, as a page token holds only with the same arguments; what has
    become available since then is a window of its own.
    """
    end = min(end, now - DELAY).replace(microsecond=0)
    start = start.replace(microsecond=0)
    kept = read_place(resume).stretch
    found = []
    while start < end:
        until = end if longest is None else min(end, start + longest)
        head, _, tail = kept.partition("..")
        if head == moment(start) and tail:
            try:
                said = datetime.fromisoformat(tail)
            except ValueError:
                said = until
            if said.tzinfo is not None and start < said <= until:
                until = said
        found.append((f"{moment(start)}..{moment(until)}", start, until))
        start = until
    return found
