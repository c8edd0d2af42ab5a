"""One call: points and waits, codes and what they mean, versions, the documents themselves."""

from __future__ import annotations

import gzip
import json
import logging
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from channels.shopify.client.documents import FOLDER, bulk_query, is_mutation, operations
from channels.shopify.client.graphql import TooDear, ask, sunset, version
from nova.http import Permanent, Surprise, Temporary, Withdrawn
from tests.channels.shopify.live import SECRET, TOKEN, Raw, connection, login, refused, throttled

LOCATIONS = {"locations": connection([{"id": "gid://shopify/Location/1", "name": "Quay"}])}


def get(session, naps, **more):
    return ask(login(**more), "Locations", {"first": 5, "after": None}, session=session, sleep=naps.append)


def test_a_call_brings_its_data_and_the_points_left(store, session, naps):
    whole = {"data": LOCATIONS, "extensions": {"cost": {"throttleStatus": {"currentlyAvailable": 1990, "restoreRate": 100}}}}
    store.answers["Locations"] = [Raw(json.dumps(whole).encode())]
    reply = get(session, naps)
    assert reply.data == LOCATIONS and reply.points_left == 1990 and json.loads(reply.body) == whole
    assert naps == [] and store.asked == [("Locations", {"first": 5, "after": None})]


def test_a_call_that_finds_too_few_points_waits_until_there_are_enough(store, session, naps):
    store.answers["Locations"] = [throttled(552, 38, 100), LOCATIONS]
    assert get(session, naps).data == LOCATIONS
    assert len(naps) == 1 and 5.14 <= naps[0] <= 5.14 * 1.26


@pytest.mark.parametrize(("needed", "there", "restore", "wait"), [(552, 551, 100, 1.0), (900, 0, 50, 18.0), (900, 100, 2, 400.0)])
def test_a_wait_is_at_least_a_second_and_too_long_a_one_is_told_and_not_slept(store, session, naps, needed, there, restore, wait):
    store.answers["Locations"] = [throttled(needed, there, restore)]
    with pytest.raises(Temporary) as caught:
        get(session, naps)
    assert caught.value.retry_after == wait and caught.value.request_id == "req-1"
    assert bool(naps) == (wait <= 60)


def test_a_throttle_without_figures_still_waits(store, session, naps):
    store.answers["Locations"] = [refused("THROTTLED"), LOCATIONS]
    assert get(session, naps).data == LOCATIONS and len(naps) == 1


@pytest.mark.parametrize(
    ("answer", "error", "words"),
    [
        (refused("ACCESS_DENIED", "Required access: `read_locations`.", {"locations": None}), Permanent, "read_locations"),
        (refused("MAX_COST_EXCEEDED", "Query cost is 1723"), TooDear, "1723"),
        (refused("SHOP_INACTIVE"), Temporary, "not active"),
        (refused("undefinedField", "Field 'x' doesn't exist"), Permanent, "doesn't exist"),
        (Raw(b'{"errors":"Not Found"}', 404), Permanent, "404"),
        (Raw(b'{"errors":"wrong password"}', 401), Withdrawn, "login"),
        (Raw(b"", 402), Temporary, "bill"),
        (Raw(b"", 403), Permanent, "403"),
        (Raw(b"", 423), Temporary, "locked"),
        (Raw(b"", 430), Temporary, "protected"),
        (Raw(b"", 301, {"Location": "https://evil.example/"}), Surprise, "301"),
        (Raw(b"<html>maintenance</html>"), Surprise, "no JSON"),
        (Raw(b"[]"), Surprise, "no object"),
        (Raw(b'{"data":null}'), Surprise, "without data"),
        (Raw(b'{"errors":["odd"]}'), Permanent, "odd"),
    ],
)
def test_every_refusal_is_one_of_the_four_errors(store, session, naps, answer, error, words):
    store.answers["Locations"] = [answer]
    with pytest.raises(error, match=words) as caught:
        get(session, naps)
    assert caught.value.request_id == "req-1" and naps == []
    assert TOKEN not in str(caught.value) and SECRET not in str(caught.value)


@pytest.mark.parametrize(
    "trouble",
    [
        Raw(b'{"data":{"locations":{"nodes":['),
        Raw(b""),
        Raw(b"oops", 502),
        Raw(b"", 429, {"Retry-After": "2"}),
        refused("INTERNAL_SERVER_ERROR", "Internal error. Request ID: 9"),
    ],
)
def test_trouble_that_passes_is_waited_for_and_lasting_trouble_is_temporary(store, session, naps, trouble):
    store.answers["Locations"] = [trouble, LOCATIONS]
    assert get(session, naps).data == LOCATIONS and len(naps) == 1
    store.answers["Locations"] = [trouble]
    with pytest.raises(Temporary):
        get(session, naps)
    assert store.count("Locations") == 7


def test_a_token_that_ran_out_is_not_sent_and_a_wrong_one_ends_the_login(store, session, naps):
    with pytest.raises(Temporary, match="renewed"):
        get(session, naps, expires_at=datetime.now(UTC) + timedelta(seconds=30))
    assert store.asked == []
    with pytest.raises(Withdrawn):
        get(session, naps, access_token="another")


def test_a_mutation_is_sent_once_and_one_that_may_have_been_done_is_looked_at_by_a_person(store, session, naps):
    def run():
        return ask(login(), "Fulfil", {"fulfillment": {}}, session=session, sleep=naps.append)

    store.answers["Fulfil"] = [Raw(b"", 503)]
    with pytest.raises(Temporary):
        run()
    assert store.count("Fulfil") == 1
    store.answers["Fulfil"] = [refused("INTERNAL_SERVER_ERROR", data={"fulfillmentCreate": {"fulfillment": None}})]
    with pytest.raises(Surprise, match="may have been done"):
        run()
    assert naps == []


def test_a_version_past_its_time_is_told_in_the_log(store, session, naps, caplog, settings):
    settings.NOVA_SHOPIFY_API_VERSION = store.version = "2025-07"
    store.answers["Locations"] = [LOCATIONS]
    with caplog.at_level(logging.WARNING):
        get(session, naps)
    assert "ran version 2026-10 instead of 2025-07" in caplog.text and TOKEN not in caplog.text


def test_the_version_is_a_setting_and_has_a_sunset(settings):
    assert version() == "2026-10"
    assert sunset("2026-10") == datetime(2027, 10, 1, 17, tzinfo=UTC) and sunset("unstable") is None
    settings.NOVA_SHOPIFY_API_VERSION = "../x"
    with pytest.raises(Permanent):
        version()


def test_every_document_is_sent_alone_with_the_fragments_it_uses_and_no_other():
    assert len(operations()) > 20
    for name, text in operations().items():
        assert len(re.findall(r"^(?:query|mutation) ", text, re.MULTILINE)) == 1, name
        made = re.findall(r"^fragment (\w+)", text, re.MULTILINE)
        assert set(made) == set(re.findall(r"\.\.\.(\w+)", text)) and len(made) == len(set(made)), name
        assert text.count("{") == text.count("}") and "#" not in text
    assert is_mutation("SetQuantities") and not is_mutation("Variants")


def test_no_document_asks_for_what_names_a_buyer():
    everything = "\n".join(path.read_text() for path in FOLDER.glob("*.graphql"))
    for word in (
        "email",
        "phone",
        "firstName",
        "lastName",
        "address1",
        "zip",
        "customer",
        "note",
        "receiptJson",
        "billingAddress",
    ):
        assert not re.search(rf"\b{word}\b", re.sub(r"#.*", "", everything)), word


@pytest.mark.conformance
def test_every_document_is_valid_by_the_published_schema_and_uses_nothing_deprecated(conformance: Path):
    graphql = pytest.importorskip("graphql", reason="graphql-core is in the dev group")
    text = (conformance / "facts/shopify/schema/admin_2026-10.nodesc.graphql").read_text()
    schema = graphql.build_schema(text, assume_valid=True)  # the schema's own flaws are not ours
    rules = [*graphql.specified_rules, graphql.validation.NoDeprecatedCustomRule]
    documents = {**operations(), **{f"bulk {name}": bulk_query(name) for name in ("orders", "stock")}}
    for name, document in documents.items():
        assert graphql.validate(schema, graphql.parse(document), rules) == [], name


@pytest.mark.conformance
def test_nova_reads_a_refusal_as_the_published_shapes_tell_it(conformance: Path, store, session, naps):
    shapes = json.loads((conformance / "facts/shopify/samples/graphql/error_shapes.json").read_text())
    wanted = {"throttled (HTTP 200)": Temporary, "max cost exceeded": TooDear, "access denied": Permanent}
    for name, error in wanted.items():
        store.answers["Locations"] = [Raw(json.dumps(shapes[name]).encode())]
        with pytest.raises(error):
            get(session, naps)
    assert 5.14 <= naps[0] <= 5.14 * 1.26


@pytest.mark.conformance
def test_nova_and_the_dump_know_the_same_codes_of_a_refused_write_of_stock(conformance: Path):
    with gzip.open(conformance / "facts/shopify/schema/admin_2026-10.json.gz") as handle:
        dump = json.load(handle)
    types = {each["name"]: each for each in (dump.get("data") or dump)["__schema"]["types"]}
    codes = {value["name"] for value in types["InventorySetQuantitiesUserErrorCode"]["enumValues"]}
    assert codes >= {
        "CHANGE_FROM_QUANTITY_STALE",
        "IDEMPOTENCY_CONCURRENT_REQUEST",
        "IDEMPOTENCY_KEY_PARAMETER_MISMATCH",
        "IDEMPOTENCY_PREVIOUS_ATTEMPT_FAILED",
    }
