"""Calls of the Selling Partner API: a token when needed, patience by Amazon's limits, errors by status, and the walk of pages."""

from __future__ import annotations

import json
import random
from datetime import timedelta
from typing import Any

import pytest
import requests
from hypothesis import given
from hypothesis import strategies as st

from channels.amazon.auth import Login
from channels.amazon.client import KINDS, Caller, pages, pages_of
from channels.amazon.client.caller import moment, read_reply
from channels.amazon.client.stock import read_participations
from channels.amazon.client.walk import Place, read_place
from channels.amazon.client.windows import windows
from nova.http import Answer, OutsideError, Permanent, Surprise, Temporary, Withdrawn
from tests.channels.amazon.live import NOW, REFRESH, SECRET, US, Amazon, Asked, Told, Waits, caller, days_ago, login, refused

PARTICIPATIONS = {
    "payload": [
        {
            "marketplace": {"id": US, "countryCode": "US", "defaultCurrencyCode": "USD", "domainName": "www.amazon.com"},
            "storeName": "Harbour Goods",
            "participation": {"isParticipating": True, "hasSuspendedListings": False},
        }
    ]
}
ASK: dict[str, Any] = {"repeatable": True}


def test_a_call_gets_its_token_first_and_keeps_it(world: Amazon, session: requests.Session) -> None:
    world.on("GET", "/sellers", Told(PARTICIPATIONS, headers={"x-amzn-RateLimit-Limit": "0.032"}))
    heard: list[Login] = []
    asking = Caller(login(), session, on_refresh=heard.append)
    for _ in range(3):
        (found,) = read_participations(asking)
    assert (found.marketplace_id, found.currency, found.sells, found.store_name) == (US, "USD", True, "Harbour Goods")
    assert len(world.token_calls) == 1 and len(world.asked) == 3
    assert heard == [asking.login]
    assert asking.rates == {"getMarketplaceParticipations": 0.032}


def test_a_token_taken_back_early_is_refreshed_once(world: Amazon, session: requests.Session) -> None:
    world.on("GET", "/sellers", Told(PARTICIPATIONS))
    asking = caller(session, access_token="Atza|gone", access_expires_at=NOW + timedelta(hours=1))
    assert len(read_participations(asking)) == 1
    assert [asked.headers["x-amz-access-token"] for asked in world.asked] == ["Atza|gone", "Atza|1"]


def test_a_refusal_with_a_fresh_token_is_a_withdrawn_login(world: Amazon, session: requests.Session) -> None:
    world.on("GET", "/sellers", refused(403, "Unauthorized", f"Access to requested resource is denied. {REFRESH} Atza|1"))
    with pytest.raises(Withdrawn, match="denied") as raised:
        read_participations(caller(session))
    assert "Atz" not in str(raised.value)
    assert len(world.token_calls) == 1 and len(world.asked) == 1
    with pytest.raises(Withdrawn):
        read_participations(caller(session, access_token="Atza|1", access_expires_at=NOW + timedelta(hours=1)))
    assert len(world.asked) == 3


def test_a_seller_who_took_the_consent_back_is_withdrawn_without_a_call(world: Amazon, session: requests.Session) -> None:
    with pytest.raises(Withdrawn, match="invalid_grant"):
        read_participations(caller(session, refresh_token="Atzr|other"))
    assert world.asked == []


@pytest.mark.parametrize(
    ("told", "kind"),
    [
        (refused(400), Permanent),
        (refused(404, "NOT_FOUND"), Permanent),
        (refused(409), Permanent),
        (refused(413), Permanent),
        (refused(415), Permanent),
        (refused(401, "Unauthorized"), Withdrawn),
        (refused(429, "QuotaExceeded"), Temporary),
        (refused(500, "InternalFailure"), Temporary),
        (refused(503, "ServiceUnavailable"), Temporary),
        (Told(b"<html>", 502), Temporary),
        (Told(None, 302, {"location": "https://elsewhere.example"}), Surprise),
        (Told(b"[]"), Temporary),
        (Told({"payload": {"not": "a list"}}), Surprise),
        (Told({"payload": [1]}), Surprise),
        (Told({"errors": [{"code": "InvalidInput", "message": "no"}]}), Permanent),
    ],
)
def test_answers_and_what_they_mean(world: Amazon, session: requests.Session, told: Told, kind: type[OutsideError]) -> None:
    world.on("GET", "/sellers", told)
    with pytest.raises(kind) as raised:
        read_participations(caller(session))
    assert type(raised.value) is kind
    assert raised.value.request_id == "rq-7" and "rq-7" in str(raised.value)
    assert SECRET not in str(raised.value) and REFRESH not in str(raised.value)


def test_cut_answers_are_asked_for_again(world: Amazon, session: requests.Session) -> None:
    whole = json.dumps(PARTICIPATIONS).encode()
    world.on("GET", "/sellers", Told(whole, cut=True), Told(whole[:40]), refused(500), Told(whole))
    waits = Waits()
    assert len(read_participations(caller(session, waits=waits))) == 1
    assert len(waits) == 3


def test_a_cut_answer_to_a_write_is_not_asked_for_again(world: Amazon, session: requests.Session) -> None:
    world.on("POST", "/reports", Told(b'{"reportId": "1', 202))
    with pytest.raises(Surprise, match="cut off"):
        caller(session).ask("createReport", "POST", "/reports/2021-06-30/reports", body={}, repeatable=False)
    assert len(world.asked) == 1


def test_short_limits_are_waited_out_and_long_ones_told(world: Amazon, session: requests.Session) -> None:
    world.on("GET", "/sellers", refused(429, retry_after="2"), Told(PARTICIPATIONS))
    world.on("GET", "/orders", refused(429))
    waits = Waits()
    asking = caller(session, waits=waits)
    read_participations(asking)
    assert len(waits) == 1 and 2 <= waits[0] <= 2.5
    with pytest.raises(Temporary) as raised:
        list(pages_of(asking, "orders", start=days_ago(1), end=NOW))
    assert raised.value.retry_after == pytest.approx(178.6, abs=0.1), "the refill of searchOrders, as Amazon names no wait"
    assert len(waits) == 1


def test_the_rate_and_the_request_of_an_answer_are_kept() -> None:
    answer = Answer(
        200, {"x-amzn-requestid": "rq-9", "x-amzn-ratelimit-limit": "0.0167"}, b'\xef\xbb\xbf{"payload": {"n": 1.10}}'
    )
    reply = read_reply(answer, "getReports", repeatable=True)
    assert (reply.rate, reply.request_id, str(reply.part("payload")["n"])) == (0.0167, "rq-9", "1.10")
    for header in ("", "many", "-1", "nan"):
        assert read_reply(Answer(200, {"x-amzn-ratelimit-limit": header}, b"{}"), "x", **ASK).rate is None


def test_errors_beside_a_payload_are_told() -> None:
    body = json.dumps({"payload": {}, "errors": [{"code": "Partial", "message": "one is missing"}, "odd"]}).encode()
    (problem,) = read_reply(Answer(200, {}, body), "x", repeatable=True).problems
    assert (problem.code, problem.message) == ("Partial", "one is missing")


def test_private_words_never_come_back_in_an_error() -> None:
    body = json.dumps({"errors": [{"code": "InvalidInput", "message": "Bad address: 7 QUAY STREET, Ada Byron"}]}).encode()
    with pytest.raises(Permanent) as raised:
        read_reply(Answer(400, {}, body), "x", repeatable=False, private=["7 Quay Street", "Ada Byron", ""])
    assert "Bad address" in str(raised.value) and "uay" not in str(raised.value).lower() and "Ada" not in str(raised.value)


@given(st.binary(max_size=200), st.integers(200, 599), st.booleans())
def test_no_answer_breaks_the_reading_of_answers(body: bytes, status: int, repeatable: bool) -> None:
    try:
        reply = read_reply(Answer(status, {}, body), "getReport", repeatable=repeatable)
    except OutsideError as error:
        assert type(error) in (Temporary, Permanent, Withdrawn, Surprise)
    else:
        assert isinstance(reply.data, dict) and status < 300


def transactions(*numbers: int, more: str = "") -> Told:
    rows = [{"transactionType": "Shipment", "transactionId": f"t-{number}"} for number in numbers]
    return Told({"payload": {"transactions": rows, "nextToken": more or None}})


def test_pages_follow_their_tokens_with_the_same_window(world: Amazon, session: requests.Session) -> None:
    world.on(
        "GET", "/finances/2024-06-19/transactions", transactions(1, 2, more="two"), transactions(more="three"), transactions(3)
    )
    found = list(pages_of(caller(session), "finances", start=days_ago(3), end=days_ago(1)))
    assert [page.rows for page in found] == [2, 0, 1], "an empty page is not the end"
    assert [asked.query.get("nextToken") for asked in world.asked] == [None, "two", "three"]
    assert len({(asked.query["postedAfter"], asked.query["postedBefore"]) for asked in world.asked}) == 1
    assert found[-1].resume == "" and all(page.resume for page in found[:-1])
    assert len({page.outside_id for page in found}) == 3


def test_a_walk_goes_on_where_it_was_stopped(world: Amazon, session: requests.Session) -> None:
    def by_token(asked: Asked) -> Told:
        number = int(asked.query.get("nextToken", "0"))
        return transactions(number, more=str(number + 1) if number < 4 else "")

    world.on("GET", "/finances/2024-06-19/transactions", by_token)
    whole = list(pages_of(caller(session), "finances", start=days_ago(2), end=NOW))
    for stop in range(len(whole) - 1):
        # an hour later, when the window's end would lie elsewhere
        later = caller(session, now=NOW + timedelta(hours=1))
        rest = list(pages_of(later, "finances", start=days_ago(2), end=NOW + timedelta(hours=1), resume=whole[stop].resume))
        left = [(page.outside_id, page.body) for page in whole[stop + 1 :]]
        assert [(page.outside_id, page.body) for page in rest[: len(left)]] == left
        assert rest[-1].outside_id.startswith(f"{moment(NOW - timedelta(minutes=2))}.."), "what came since is a window of its own"


def test_a_token_that_no_longer_holds_starts_its_window_anew_once(world: Amazon, session: requests.Session) -> None:
    world.on("GET", "/finances", transactions(1, more="stale"), refused(400), transactions(1, more="new"), transactions(2))
    found = list(pages_of(caller(session), "finances", start=days_ago(2), end=days_ago(1)))
    assert [json.loads(page.body)["payload"]["transactions"][0]["transactionId"] for page in found] == ["t-1", "t-1", "t-2"]
    world.rules.clear()
    world.on("GET", "/finances", transactions(1, more="stale"), refused(400), transactions(1, more="stale"), refused(400))
    with pytest.raises(Permanent):
        list(pages_of(caller(session), "finances", start=days_ago(2), end=days_ago(1)))


def test_the_same_token_again_is_no_endless_walk(world: Amazon, session: requests.Session) -> None:
    world.on("GET", "/finances", transactions(1, more="same"))
    with pytest.raises(Surprise, match="twice"):
        list(pages_of(caller(session), "finances", start=days_ago(2), end=days_ago(1)))
    assert len(world.asked) == 2


def test_a_long_time_is_cut_into_windows_of_180_days(world: Amazon, session: requests.Session) -> None:
    world.on("GET", "/finances", transactions(1))
    found = list(pages_of(caller(session), "finances", start=days_ago(400), end=NOW))
    spans = [(asked.query["postedAfter"], asked.query["postedBefore"]) for asked in world.asked]
    assert len(found) == 3 and [a for a, _ in spans[1:]] == [b for _, b in spans[:-1]]
    assert spans[0][0] == moment(days_ago(400)) and spans[-1][1] == moment(NOW - timedelta(minutes=2))
    assert json.loads(found[0].resume)[0] == f"{spans[1][0]}..{spans[1][1]}"


@given(st.integers(0, 2_000_000), st.integers(0, 50_000_000), st.integers(1, 400))
def test_windows_touch_and_never_reach_the_last_two_minutes(ago: int, length: int, days: int) -> None:
    start = NOW - timedelta(seconds=ago + length)
    end = start + timedelta(seconds=length)
    found = windows(start, end, now=NOW, longest=timedelta(days=days))
    assert all(after < before <= min(end, NOW - timedelta(minutes=2)) for _name, after, before in found)
    assert all(before - after <= timedelta(days=days) for _name, after, before in found)
    assert [after for _name, after, _before in found[1:]] == [before for _name, _after, before in found[:-1]]
    assert not found or (found[0][1], found[-1][2]) == (start, min(end, NOW - timedelta(minutes=2)))


def test_places_survive_writing_and_nonsense_is_refused() -> None:
    place = Place("a..b", 3, 'to"ken')
    assert read_place(place.write()) == place and read_place("") == Place()
    for nonsense in ("x", "[1]", "[1, 2, 3]", "null", '{"a": 1}'):
        with pytest.raises(ValueError, match="place"):
            read_place(nonsense)


def test_an_unknown_kind_and_a_moment_without_zone_are_refused(session: requests.Session) -> None:
    with pytest.raises(ValueError, match="no pages"):
        pages(login(), "videos", start=days_ago(1), end=NOW, session=session)
    with pytest.raises(ValueError, match="time zone"):
        pages(login(), "finances", start=days_ago(1).replace(tzinfo=None), end=NOW, session=session)
    assert len(set(KINDS)) == len(KINDS)


@pytest.mark.parametrize("seed", range(12))
def test_faults_and_stops_change_nothing_of_what_is_fetched(world: Amazon, session: requests.Session, seed: int) -> None:
    """Busy, broken, cut off, token gone, run stopped: the pages are those of an undisturbed walk, none missing, none twice."""
    chance = random.Random(seed)
    last = chance.randint(1, 6)

    def true(asked: Asked) -> Told:
        number = int(asked.query.get("nextToken", "0"))
        return transactions(number, more=str(number + 1) if number < last else "")

    def faulty(asked: Asked) -> Told:
        fault = chance.choice(["none", "none", "busy", "broken", "cut", "short", "token"])
        if fault == "token":
            world.good_tokens.clear()
        answers = {
            "busy": refused(429, retry_after="1"),
            "broken": refused(chance.choice([500, 503])),
            "cut": Told(true(asked).body, cut=True),
            "short": Told(json.dumps(true(asked).body).encode()[:-5]),
        }
        return answers.get(fault) or true(asked)

    world.on("GET", "/finances", faulty)
    kept: dict[str, bytes] = {}
    resume = ""
    for _ in range(60):
        try:
            for page in pages_of(caller(session), "finances", start=days_ago(2), end=days_ago(1), resume=resume):
                assert page.outside_id not in kept
                kept[page.outside_id], resume = page.body, page.resume
                if page.resume and chance.random() < 0.3:
                    break  # the run is stopped here
            else:
                break
        except Temporary:
            continue
    assert resume == ""
    found = [json.loads(body)["payload"]["transactions"][0]["transactionId"] for body in kept.values()]
    assert found == [f"t-{number}" for number in range(last + 1)]
