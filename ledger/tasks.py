"""Background work of the ledger: ids in, load, call, record. Every task may run twice."""

from __future__ import annotations

from ledger.intake import take_document, waiting_intakes
from nova.scheduling import every


def take(intake_id: int) -> str:
    """Read one uploaded document. Returns its state."""
    return str(take_document(intake_id=intake_id).state)


@every(minutes=1)
def take_waiting() -> int:
    """Read all documents that wait, also those whose process died. Returns how many were read."""
    ids = waiting_intakes()
    for intake_id in ids:
        take_document(intake_id=intake_id)
    return len(ids)
