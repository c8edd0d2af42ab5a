"""Page by page through an operation, from where an earlier run stopped."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from channels.amazon.client.caller import Reply
from channels.fetched import FetchedPage
from nova.http import Permanent, Surprise

#: More pages than this in one window is no window but a fault: ask for a shorter one.
MAX_PAGES = 2_000


@dataclass(frozen=True)
class Stretch:
    """A part of what is to be fetched, walked by its own page tokens: a slice of time, or a marketplace. `name` is for ever."""

    name: str
    ask: Callable[[str], Reply]
    """Asks for the page of a token, "" for the first."""


@dataclass(frozen=True)
class Place:
    """Where in the stretches a walk stands."""

    stretch: str = ""
    page: int = 0
    token: str = ""

    def write(self) -> str:
        return json.dumps([self.stretch, self.page, self.token])


def read_place(resume: str) -> Place:
    """Raises ValueError: not a place that a walk has written."""
    if not resume:
        return Place()
    try:
        stretch, page, token = json.loads(resume)
    except (ValueError, TypeError):
        raise ValueError("This is no place to go on from.") from None
    if not (isinstance(stretch, str) and isinstance(page, int) and isinstance(token, str)):
        raise ValueError("This is no place to go on from.")
    return Place(stretch, page, token)


def walk(
    kind: str,
    stretches: Sequence[Stretch],
    *,
    resume: str,
    count: Callable[[Reply], int],
    next_token: Callable[[Reply], str],
) -> Iterator[FetchedPage]:
    """All pages of all stretches in their order. Pages without rows come too (`rows` 0), so that a walk tells its end.

    Page tokens live for seconds to a day. Where Amazon no longer takes one, the stretch is walked again from its beginning,
    once: pages then come twice under the same id, and rows in between may repeat or shift. A stretch that `resume` names but
    that is not there any more is begun anew, with all others.
    """
    place = read_place(resume)
    names = [stretch.name for stretch in stretches]
    first = names.index(place.stretch) if place.stretch in names else 0
    if names and names[first] != place.stretch:
        place = Place()
    for index in range(first, len(stretches)):
        stretch = stretches[index]
        number, token = (place.page, place.token) if index == first else (0, "")
        following = Place(names[index + 1]).write() if index + 1 < len(stretches) else ""
        may_restart = True
        for _ in range(MAX_PAGES):
            try:
                reply = stretch.ask(token)
            except Permanent as error:
                if not token or not may_restart or error.status not in (400, 404):
                    raise
                may_restart, number, token = False, 0, ""
                continue
            token_after = next_token(reply)
            if token_after and token_after == token:
                raise Surprise(f"Amazon gave the same page of {kind} twice.", request_id=reply.request_id)
            yield FetchedPage(
                kind,
                f"{stretch.name}/{number + 1}",
                reply.body,
                Place(stretch.name, number + 1, token_after).write() if token_after else following,
                count(reply),
            )
            number, token = number + 1, token_after
            if not token:
                break
        else:
            raise Surprise(f"Amazon has more than {MAX_PAGES} pages of {kind} for {stretch.name}; ask for less at once.")
