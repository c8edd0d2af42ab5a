"""What a channel's client hands over: one page of the outside, as it came."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class FetchedPage:
    """One answer of a channel. `kind` is a document kind's code; `outside_id` names the page for ever.

    `resume` is what the next call goes on with after this page, "" after the last one; `rows` is how many records it holds.
    """

    kind: str
    outside_id: str
    body: bytes
    resume: str
    rows: int
