"""Uploads of staff: keep several files of a shop, read them at once or in the background, say how far they are."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db import transaction
from django.utils import timezone
from django_q.tasks import async_task

from channels.adapter import DocumentError
from channels.archives import expand_file
from channels.keep import MAX_DOCUMENT_BYTES, storable
from channels.models import Shop, Upload, UploadFile
from ledger.intake import keep_and_queue, take_document, waiting_intakes
from ledger.models import LedgerIntake

State = LedgerIntake.State
#: Files up to this size are read in the request that brings them, for up to AT_ONCE_SECONDS altogether.
AT_ONCE_BYTES = 3_000_000
AT_ONCE_SECONDS = 4.0
#: A document that waits longer than this while nothing is being read has no background worker.
WORKER_ANSWERS_WITHIN = timedelta(seconds=6)


def receive_files(*, shop: Shop, files: Iterable[tuple[str, int, Any]], user: Any) -> Upload:
    """Keep uploaded files, given as (name, size, something with `read()`), and start reading them. Archives are unpacked.

    A file that cannot be kept (too large, a damaged archive) is noted with the reason; the others go on.
    """
    upload = Upload.objects.create(company_id=shop.company_id, shop=shop, uploaded_by=user)
    intakes: list[LedgerIntake] = []
    for name, size, file in files:
        filename = name.replace("\\", "/").rsplit("/", 1)[-1][:255] or "unnamed"
        if size > MAX_DOCUMENT_BYTES:
            _not_kept(
                upload,
                filename,
                size,
                f"The file has {size:,} bytes; Nova takes up to {MAX_DOCUMENT_BYTES:,}. Export a shorter period.",
            )
            continue
        try:
            parts = expand_file(filename, file.read())
        except DocumentError as error:
            _not_kept(upload, filename, size, str(error))
            continue
        for part, body in parts:
            try:
                intakes.append(keep_and_queue(shop=shop, body=body, filename=part[:255], upload=upload))
            except DocumentError as error:
                _not_kept(upload, part, len(body), str(error))
    start_reading(intakes)
    return upload


def _not_kept(upload: Upload, filename: str, size: int, problem: str) -> None:
    UploadFile.objects.create(
        company_id=upload.company_id, upload=upload, filename=storable(filename)[:255], size=size, problem=problem
    )


def start_reading(intakes: Sequence[LedgerIntake]) -> None:
    """Read what waits: small documents now, as long as that is quick, the others in the background."""
    deadline = time.monotonic() + AT_ONCE_SECONDS
    for intake in intakes:
        if intake.state != State.WAITING:
            continue
        now = intake.document.size <= AT_ONCE_BYTES and time.monotonic() < deadline
        if now or settings.Q_CLUSTER.get("sync"):
            take_document(intake_id=intake.pk)
        else:
            async_task("ledger.tasks.take", intake.pk, task_name=f"read {intake.document_id}")


def read_next(*, upload: Upload) -> bool:
    """Read one waiting document of an upload here and now, because no background worker does. False: none is due."""
    due = set(waiting_intakes(limit=1000))
    row = (
        LedgerIntake.objects.filter(company=upload.company_id, pk__in=due, document__uploads__upload=upload)
        .order_by("pk")
        .first()
    )
    if row is None:
        return False
    take_document(intake_id=row.pk)
    return True


def refuse_document(*, intake_id: int, user: Any) -> LedgerIntake:
    """Staff leave a document out: it is not of this shop, or was not worth reading. It is kept; nothing of it is in the books.

    It is no longer listed as needing somebody; reading it again brings it back.

    Raises:
        ValueError: it neither asks nor failed (any more).
    """
    with transaction.atomic():
        intake = LedgerIntake.objects.select_for_update().get(pk=intake_id)
        if intake.state not in (State.ASKING, State.FAILED):
            raise ValueError("This document does not ask anything any more.")
        intake.error = f"Left out by {user}. {intake.question or intake.error}".strip()
        intake.state, intake.question, intake.finished_at = State.FAILED, "", timezone.now()
        intake.result = {**intake.result, "refused": True}
        intake.save()
    return intake


@dataclass(frozen=True)
class Progress:
    """How far an upload is. Bytes are those kept; `seconds_left` is None while it cannot be told."""

    files: int
    done: int
    waiting: int
    running: int
    bytes_done: int
    bytes_total: int
    seconds: float
    seconds_left: float | None
    stalled: bool

    @property
    def finished(self) -> bool:
        return self.waiting + self.running == 0

    @property
    def percent(self) -> int:
        if self.finished:
            return 100
        return min(99, 100 * self.bytes_done // self.bytes_total) if self.bytes_total else 0


def progress_of(upload: Upload) -> Progress:
    """How far the files of an upload are. `stalled` says that they wait and no background worker reads them."""
    rows = list(
        UploadFile.objects.filter(company=upload.company_id, upload=upload).values_list(
            "document__size", "document__intakes__state", "document__intakes__started_at", "document__intakes__finished_at",
            "document__intakes__not_before",
        )
    )  # fmt: skip
    now = timezone.now()
    total = sum(row[0] or 0 for row in rows)
    waiting = [row for row in rows if row[1] == State.WAITING]
    running = [row for row in rows if row[1] == State.RUNNING]
    done_bytes = total - sum(row[0] or 0 for row in [*waiting, *running])
    ends = [row[3] for row in rows if row[3] is not None]
    end = now if waiting or running else max(ends, default=upload.created_at)
    seconds = max(0.0, (end - upload.created_at).total_seconds())
    left = seconds / done_bytes * (total - done_bytes) if done_bytes and (waiting or running) else None
    due = [row for row in waiting if row[4] is None or row[4] <= now]
    last_sign = max([upload.created_at, *ends])
    stalled = bool(due) and not running and now - last_sign > WORKER_ANSWERS_WITHIN and not _anything_runs()
    return Progress(
        files=len(rows),
        done=len(rows) - len(waiting) - len(running),
        waiting=len(waiting),
        running=len(running),
        bytes_done=done_bytes,
        bytes_total=total,
        seconds=seconds,
        seconds_left=left,
        stalled=stalled,
    )


def _anything_runs() -> bool:
    """Whether some document of any company is being read: then a worker is alive and will come to ours."""
    return LedgerIntake.objects.filter(state=State.RUNNING, started_at__gte=timezone.now() - timedelta(minutes=5)).exists()
