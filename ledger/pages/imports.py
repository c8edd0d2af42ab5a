"""Pages around imports: upload, what became of each file, the documents themselves, withdrawing and undoing."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db.models import Count, Prefetch
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect
from django.template.loader import render_to_string
from django.urls import path, reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_GET, require_POST

from channels.models import Document, Shop, Upload, UploadFile
from channels.preview import preview_document
from channels.registry import get_adapter
from ledger.intake import WithdrawalRefused, note_answer, undo_withdrawal, withdraw, withdrawal_preview
from ledger.models import LedgerIntake, Withdrawal
from ledger.pages.column_form import PREFIX
from ledger.pages.import_rows import FileRow, document_rows, file_rows
from ledger.uploads import progress_of, read_next, receive_files, refuse_document, start_reading
from nova.models import Company
from nova.pages import company_page, render_page

State = LedgerIntake.State
LAST_SHOP = "upload_shop"
RECENT = 25
MAX_FILES = 200


@company_page(permission="channels.view_document")
def upload_page(request: HttpRequest, company: Company) -> HttpResponse:
    """Choose files and a shop; below, what needs an answer and what was uploaded lately."""
    may_import = request.user.has_perm("ledger.import_documents")
    shops = list(Shop.objects.filter(company=company, active=True))
    problem = ""
    if request.method == "POST":
        if not may_import:
            raise PermissionDenied("Uploading documents needs the role Finance clerk.")
        shop = next((row for row in shops if row.code == request.POST.get("shop")), None)
        files = request.FILES.getlist("files")
        if shop is None:
            problem = "Choose the shop that the files are of."
        elif not files:
            problem = "Choose at least one file."
        else:
            request.session[LAST_SHOP] = shop.code
            upload = receive_files(
                shop=shop, files=[(file.name or "", file.size or 0, file) for file in files], user=request.user
            )
            address = reverse("ledger:import_result", kwargs={"code": company.code, "pk": upload.pk})
            if request.headers.get("Accept", "").startswith("application/json"):
                return JsonResponse({"address": address}, status=201)
            return redirect(address)
        if request.headers.get("Accept", "").startswith("application/json"):
            return JsonResponse({"problem": problem}, status=400)
    needs = list(
        LedgerIntake.objects.select_related("document", "document__shop")
        .defer("document__body")
        .filter(company=company, state__in=[State.ASKING, State.FAILED])
        .exclude(result__has_key="refused")
        .order_by("-document_id")[:RECENT]
    )
    return render_page(
        request,
        "ledger/upload.html",
        title="Imports",
        company=company,
        shops=shops,
        chosen=request.POST.get("shop") or request.GET.get("shop") or request.session.get(LAST_SHOP, ""),
        problem=problem,
        may_import=may_import,
        needs=needs,
        uploads=_recent_uploads(company),
        max_files=MAX_FILES,
        channels=sorted({get_adapter(shop.channel).label for shop in shops}),
        status=400 if problem else 200,
    )


def _recent_uploads(company: Company) -> list[Any]:
    """The latest uploads with the number of their files by state, in two queries."""
    uploads = list(Upload.objects.select_related("shop", "uploaded_by").filter(company=company)[:RECENT])
    counts: dict[int, dict[str, int]] = {}
    rows = (
        UploadFile.objects.filter(company=company, upload__in=[upload.pk for upload in uploads])
        .values("upload_id", "document__intakes__state")
        .annotate(files=Count("id"))
        .order_by()
    )
    for row in rows:
        state = row["document__intakes__state"] or State.FAILED
        counts.setdefault(row["upload_id"], {})[state] = counts.get(row["upload_id"], {}).get(state, 0) + row["files"]
    for upload in uploads:
        found = counts.get(upload.pk, {})
        upload.file_count = sum(found.values())  # type: ignore[attr-defined]
        upload.taken = found.get(State.TAKEN, 0)  # type: ignore[attr-defined]
        upload.waiting = found.get(State.WAITING, 0) + found.get(State.RUNNING, 0)  # type: ignore[attr-defined]
        upload.asking = found.get(State.ASKING, 0)  # type: ignore[attr-defined]
        upload.failed = found.get(State.FAILED, 0)  # type: ignore[attr-defined]
        upload.withdrawn = found.get(State.WITHDRAWN, 0)  # type: ignore[attr-defined]
    return uploads


def _upload(company: Company, pk: int) -> Upload:
    upload = Upload.objects.select_related("shop", "uploaded_by").filter(company=company, pk=pk).first()
    if upload is None:
        raise Http404("No such upload.")
    return upload


def _files(upload: Upload) -> Any:
    documents = Document.objects.select_related("shop").defer("body")
    return (
        UploadFile.objects.filter(company=upload.company_id, upload=upload)
        .select_related("upload")
        .prefetch_related(Prefetch("document", queryset=documents))
    )


@company_page(permission="channels.view_document")
def import_result(request: HttpRequest, company: Company, pk: int) -> HttpResponse:
    """What became of each file of an upload. `?file=` answers with the card of one file, for the page's own refresh."""
    upload = _upload(company, pk)
    one = request.GET.get("file", "")
    files = _files(upload).filter(pk=one) if one.isdigit() else _files(upload)
    rows = file_rows(company.pk, files)
    may = _rights(request)
    if one:
        if not rows:
            raise Http404("No such file.")
        return HttpResponse(render_to_string("ledger/import_card.html", {"company": company, "row": rows[0], **may}, request))
    return render_page(
        request,
        "ledger/import_result.html",
        title=f"Upload of {upload.created_at.astimezone(company.zone):%Y-%m-%d %H:%M}",
        company=company,
        upload=upload,
        rows=rows,
        progress=progress_of(upload),
        summary=_summary(rows),
        **may,
    )


def _rights(request: HttpRequest) -> dict[str, bool]:
    return {
        "may_import": request.user.has_perm("ledger.import_documents"),
        "may_withdraw": request.user.has_perm("ledger.withdraw_imports"),
    }


def _summary(rows: list[FileRow]) -> list[tuple[int, str, str]]:
    """How many files are in which state, in the order of the first."""
    counts: dict[tuple[str, str], int] = {}
    for row in rows:
        counts[row.badge, row.badge_class] = counts.get((row.badge, row.badge_class), 0) + 1
    return [(number, badge, css) for (badge, css), number in counts.items()]


@company_page(permission="channels.view_document")
def import_status(request: HttpRequest, company: Company, pk: int) -> HttpResponse:
    """How far an upload is, for the page that polls."""
    upload = _upload(company, pk)
    progress = progress_of(upload)
    rows = file_rows(company.pk, _files(upload))
    return JsonResponse(
        {
            "files": progress.files,
            "done": progress.done,
            "percent": progress.percent,
            "finished": progress.finished,
            "stalled": progress.stalled,
            "seconds": round(progress.seconds, 1),
            "seconds_left": None if progress.seconds_left is None else round(progress.seconds_left),
            "versions": {row.key: row.version for row in rows},
            "summary": [{"count": number, "words": words, "css": css} for number, words, css in _summary(rows)],
        }
    )


@require_POST
@company_page(permission="ledger.import_documents")
def import_read(request: HttpRequest, company: Company, pk: int) -> HttpResponse:
    """Read one waiting document of the upload now: for installations without a background worker."""
    upload = _upload(company, pk)
    read = read_next(upload=upload)
    if request.headers.get("Accept", "").startswith("application/json"):
        return JsonResponse({"read": read})
    return redirect("ledger:import_result", code=company.code, pk=upload.pk)


def _back(request: HttpRequest, company: Company, document_id: int) -> HttpResponse:
    """Where the form was, if that is a page of ours, else the document's page."""
    target = request.POST.get("next", "")
    if target and url_has_allowed_host_and_scheme(target, allowed_hosts=None):
        return redirect(target)
    return redirect("ledger:document", code=company.code, pk=document_id)


@require_POST
@company_page(permission="ledger.import_documents")
def answer_import(request: HttpRequest, company: Company, pk: int) -> HttpResponse:
    """Staff answer what a document asks: yes, no, accept the difference, these columns; or ask to try again."""
    intake = LedgerIntake.objects.select_related("document", "document__shop").filter(company=company, pk=pk).first()
    if intake is None:
        raise Http404("No such document.")
    answer = request.POST.get("answer", "")
    name = str(intake.document)
    if intake.state not in (State.ASKING, State.FAILED):
        messages.info(request, f"{name} does not ask anything any more: somebody was faster.")
        return _back(request, company, intake.document_id)
    try:
        if answer == "no":
            refuse_document(intake_id=intake.pk, user=request.user)
            messages.success(request, f"{name} was left out. It is kept; nothing of it is in the books.")
            return _back(request, company, intake.document_id)
        if answer == "columns":
            columns = {key.removeprefix(PREFIX): str(value) for key, value in request.POST.items() if key.startswith(PREFIX)}
            if not any(columns.values()):
                raise ValueError("Choose the columns first.")
            noted = note_answer(intake_id=intake.pk, user=request.user, columns=columns)
        elif answer in ("yes", "difference", "retry"):
            noted = note_answer(
                intake_id=intake.pk, user=request.user, confirm=answer == "yes", accept_difference=answer == "difference"
            )
        else:
            raise ValueError("Choose one of the answers.")
    except ValueError as error:
        messages.error(request, str(error))
        return _back(request, company, intake.document_id)
    start_reading([noted])
    noted.refresh_from_db()
    _say_state(request, name, noted)
    return _back(request, company, intake.document_id)


def _say_state(request: HttpRequest, name: str, intake: LedgerIntake) -> None:
    if intake.state == State.TAKEN:
        messages.success(request, f"{name} is in the books: {int(intake.result.get('lines', 0)):,} fee lines.")
    elif intake.state == State.FAILED:
        messages.error(request, f"{name} was not taken. {intake.error}")
    elif intake.state == State.ASKING:
        messages.warning(request, f"{name} asks: {intake.question}")
    else:
        messages.info(request, f"{name} waits to be read.")


def _document(company: Company, pk: int) -> Document:
    document = Document.objects.select_related("shop", "upload").filter(company=company, pk=pk).first()
    if document is None:
        raise Http404("No such document.")
    return document


def _number(request: HttpRequest, name: str) -> int | None:
    text = request.GET.get(name, "")
    return int(text) if text.isdigit() and len(text) < 10 else None


@require_GET
@company_page(permission="channels.view_document")
def document_page(request: HttpRequest, company: Company, pk: int) -> HttpResponse:
    """A stored document as rows, `?row=` marked, with how far the ledger is with it."""
    document = _document(company, pk)
    row = document_rows(company.pk, [document])[0]
    preview = preview_document(
        document, row=_number(request, "row"), start=_number(request, "from"), sheet=_number(request, "sheet")
    )
    adapter = get_adapter(document.shop.channel)
    return render_page(
        request,
        "ledger/document.html",
        title=str(document),
        company=company,
        document=document,
        row=row,
        preview=preview,
        outside_url=adapter.outside_url(document.kind, document.outside_id, document.shop.region),
        digest=bytes(document.digest).hex(),
        history=Withdrawal.objects.select_related("withdrawn_by", "undone_by").filter(company=company, document=document),
        **_rights(request),
    )


@require_GET
@company_page(permission="channels.view_document")
def document_download(request: HttpRequest, company: Company, pk: int) -> HttpResponse:
    """The bytes as they were kept: without buyer data, which stands apart."""
    document = _document(company, pk)
    name = (document.filename or f"document-{document.pk}").replace("/", "-")
    response = HttpResponse(document.content(), content_type="application/octet-stream")
    response["Content-Disposition"] = f"attachment; filename*=UTF-8''{quote(name)}"
    response["X-Content-Type-Options"] = "nosniff"
    return response


@company_page(permission="ledger.withdraw_imports")
def withdraw_page(request: HttpRequest, company: Company, pk: int) -> HttpResponse:
    """What taking an import back would do to the books, and the button that does it."""
    document = _document(company, pk)
    problem = ""
    if request.method == "POST":
        try:
            row = withdraw(document=document, reason=request.POST.get("reason", ""), user=request.user)
        except WithdrawalRefused as error:
            problem = str(error)
        else:
            messages.success(
                request, f"{document} was withdrawn: its lines no longer count. You can undo this on the document's page."
            )
            return redirect(reverse("ledger:document", kwargs={"code": company.code, "pk": row.document_id}))
    return render_page(
        request,
        "ledger/withdraw.html",
        title="Withdraw an import",
        company=company,
        document=document,
        preview=withdrawal_preview(document=document),
        reason=request.POST.get("reason", ""),
        problem=problem,
        status=400 if problem else 200,
    )


@require_POST
@company_page(permission="ledger.withdraw_imports")
def undo_page(request: HttpRequest, company: Company, pk: int) -> HttpResponse:
    """Take a withdrawn document again."""
    row = Withdrawal.objects.filter(company=company, pk=pk).first()
    if row is None:
        raise Http404("No such withdrawal.")
    try:
        intake = undo_withdrawal(withdrawal=row, user=request.user)
    except WithdrawalRefused as error:
        messages.error(request, str(error))
    else:
        _say_state(request, str(intake.document), intake)
    return _back(request, company, row.document_id)


urlpatterns = [
    path("imports/", upload_page, name="upload"),
    path("imports/<int:pk>/", import_result, name="import_result"),
    path("imports/<int:pk>/status/", import_status, name="import_status"),
    path("imports/<int:pk>/read/", import_read, name="import_read"),
    path("imports/answer/<int:pk>/", answer_import, name="answer_import"),
    path("documents/<int:pk>/", document_page, name="document"),
    path("documents/<int:pk>/download/", document_download, name="document_download"),
    path("documents/<int:pk>/withdraw/", withdraw_page, name="withdraw"),
    path("withdrawals/<int:pk>/undo/", undo_page, name="undo_withdrawal"),
]
