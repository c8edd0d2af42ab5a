"""Reading a TikTok shop by windows: whole, in pages the parsers take, resumable anywhere, and to an end."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal as D
from itertools import islice
from random import Random
from typing import Any

import pytest

from channels.adapter import Source
from channels.fetched import FetchedPage
from channels.tiktok.adapter import adapter
from channels.tiktok.client import KINDS, one, pages
from nova.http import Permanent, Surprise, Temporary, Withdrawn, new_session
from tests.channels.tiktok import answers as made
from tests.channels.tiktok.market import Asked, Market, Reply, client, login, market

START = datetime(2026, 6, 1, tzinfo=UTC)
END = START + timedelta(days=30)
T0 = int(START.timestamp())


def fetch(place: Market, kind: str, *, resume: str = "", **window: datetime) -> list[FetchedPage]:
    window = {"start": START, "end": END, **window}
    return list(pages(login(), kind, session=new_session(), resume=resume, client=client(place), **window))  # type: ignore[arg-type]


def rows_of(found: list[FetchedPage], name: str) -> list[dict[str, Any]]:
    return [row for page in found for row in json.loads(page.body)["data"][name]]


def check_resumable(place: Market, kind: str, found: list[FetchedPage]) -> None:
    """From after any page on, the rest comes as in one go, at most after a page at the border again; the last page ends."""
    assert found[-1].resume == ""
    for number, page in enumerate(found[:-1], start=1):
        assert page.resume
        rest = fetch(place, kind, resume=page.resume)
        told = [(row.outside_id, row.body) for row in rest]
        assert told[-len(found[number:]) :] == [(row.outside_id, row.body) for row in found[number:]]
        assert len(rest) <= len(found) - number + 1


class Orders:
    """Orders of a shop that are searched by update time, and their detail."""

    def __init__(self, place: Market, number: int, *, apart: int = 60) -> None:
        self.times = {f"57600000000000{index:04}": T0 + index * apart for index in range(number)}
        self.missing: set[str] = set()
        place.list("POST", "/order/202309/orders/search", "orders", self.search, size=50)
        place.on("GET", "/order/202507/orders", self.detail)

    def search(self, asked: Asked) -> list[dict[str, Any]]:
        assert (asked.query["sort_field"], asked.query["sort_order"]) == ("update_time", "ASC")
        since, until = asked.body["update_time_ge"], asked.body["update_time_lt"]
        found = [(time, order) for order, time in self.times.items() if since <= time < until]
        return [{"id": order, "update_time": time} for time, order in sorted(found)]

    def detail(self, asked: Asked) -> Reply:
        ids = asked.query["ids"].split(",")
        assert len(ids) <= 50
        return Reply({"orders": [{"id": one, "status": "DELIVERED", "line_items": []} for one in ids if one not in self.missing]})


def test_all_orders_of_a_window_come_in_detail_and_the_window_can_be_resumed() -> None:
    with market() as place:
        shop = Orders(place, 137)
        found = fetch(place, "orders")
        assert {row["id"] for row in rows_of(found, "orders")} == set(shop.times)
        assert all(page.rows == len(json.loads(page.body)["data"]["orders"]) for page in found)
        assert len({page.outside_id for page in found}) == len(found)
        check_resumable(place, "orders", found)


def test_orders_that_change_while_they_are_read_push_no_other_past_the_reader() -> None:
    with market() as place:
        shop = Orders(place, 160)
        still = set(list(shop.times)[60:])
        seen: set[str] = set()
        window = {"start": START, "end": END}
        for page in pages(login(), "orders", session=new_session(), client=client(place), **window):  # type: ignore[arg-type]
            seen |= {row["id"] for row in json.loads(page.body)["data"]["orders"]}
            for order in list(shop.times)[:40]:
                shop.times[order] = int(END.timestamp()) + 5  # updated now: out of this window, into the next
        assert seen >= still


def test_more_orders_of_one_second_than_a_page_holds_all_come() -> None:
    with market() as place:
        shop = Orders(place, 120, apart=0)
        shop.times["later"] = T0 + 1
        found = fetch(place, "orders")
        assert {row["id"] for row in rows_of(found, "orders")} == set(shop.times)


def test_an_order_without_detail_is_not_lost_in_silence() -> None:
    with market() as place:
        shop = Orders(place, 3)
        shop.missing = {"576000000000000001"}
        found = fetch(place, "orders")
    assert [page.outside_id.endswith("/search") for page in found] == [True, False]
    assert {row["id"] for row in rows_of(found, "orders")} == set(shop.times)


def test_a_window_without_orders_is_one_empty_page() -> None:
    with market() as place:
        Orders(place, 0)
        assert [(page.rows, page.resume) for page in fetch(place, "orders")] == [(0, "")]


def test_a_list_that_does_not_end_is_a_surprise() -> None:
    with market() as place:
        place.on("GET", "/finance/202309/withdrawals", lambda asked: Reply({"withdrawals": [], "next_page_token": "again"}))
        with pytest.raises(Surprise, match="does not come to an end"):
            fetch(place, "withdrawals")


@pytest.mark.parametrize(
    ("kind", "path", "name", "most"),
    [
        ("packages", "/fulfillment/202309/packages/search", "packages", 50),
        ("returns", "/return_refund/202602/returns/search", "return_orders", 50),
        ("cancellations", "/return_refund/202602/cancellations/search", "cancellations", 50),
        ("products", "/product/202502/products/search", "products", 100),
    ],
)
def test_searches_come_whole(kind: str, path: str, name: str, most: int) -> None:
    every = [{"id": str(number), "update_time": T0 + number} for number in range(45)]

    def rows(asked: Asked) -> list[dict[str, Any]]:
        since = asked.body["update_time_ge"]
        until = asked.body["update_time_le"] + 1 if kind == "products" else asked.body["update_time_lt"]
        return [row for row in every if since <= row["update_time"] < until]

    with market() as place:
        place.list("POST", path, name, rows, most=most, size=10)
        found = fetch(place, kind)
        assert {row["id"] for row in rows_of(found, name)} == {row["id"] for row in every}
        check_resumable(place, kind, found)


def sale(number: int, order: str, amount: str = "100") -> dict[str, Any]:
    blocks = made.money({"subtotal_before_discount_amount": amount}, {}, {"referral_fee_amount": "-6"}, {"sales_tax_amount": "0"})
    return made.transaction(number, blocks, order=order)


class Finance:
    """Three statements, the second with nothing in it, of 5, 0 and 3 transactions in pages of 2."""

    def __init__(self, place: Market) -> None:
        self.rows = {
            "72388045640975170" + name: [sale(first + n, f"57646322045652{first + n:04}") for n in range(count)]
            for name, first, count in (("10", 10, 5), ("11", 20, 0), ("12", 30, 3))
        }
        place.list("GET", "/finance/202309/statements", "statements", self.statements, size=2)
        for index, (statement, rows) in enumerate(self.rows.items()):
            head = made.page(rows, statement=statement, closed=T0 + (index + 1) * 86_400)["data"]
            place.list(
                "GET",
                f"/finance/202501/statements/{statement}/statement_transactions",
                "transactions",
                lambda asked, rows=rows: rows,
                size=2,
                **{key: value for key, value in head.items() if key not in ("transactions", "total_count")},
            )
        place.on("GET", r"/finance/202501/orders/57\d+/statement_transactions", self.order)

    def statements(self, asked: Asked) -> list[dict[str, Any]]:
        assert asked.query["sort_field"] == "statement_time"
        found = [
            made.statement_row(str(sum(D(row["settlement_amount"]) for row in rows)), statement=name, closed=T0 + day * 86_400)
            for day, (name, rows) in enumerate(self.rows.items(), start=1)
        ]
        since, until = int(asked.query["statement_time_ge"]), int(asked.query["statement_time_lt"])
        return [row for row in found if since <= row["statement_time"] < until]

    def order(self, asked: Asked) -> Reply:
        order = asked.path.split("/")[4]
        blocks = made.money({"subtotal_before_discount_amount": "100"}, {}, {"referral_fee_amount": "-6"})
        return Reply(made.order_page(order, [made.sku_row("1729", "7238804564097517010", blocks)])["data"])


def parsed(page: FetchedPage) -> Any:
    recognised = adapter.recognise(page.body, "")
    assert recognised is not None and recognised.kind == page.kind
    return adapter.parse(Source(page.body, page.kind, region="US", currencies=("USD",)))


def test_statements_and_all_that_stands_in_them_are_read_as_the_parsers_take_them() -> None:
    with market() as place:
        shop = Finance(place)
        listed = fetch(place, "statements")
        told = {record.outside_id: record.total for page in listed for record in parsed(page).statements}
        assert told["7238804564097517010"] == D(94 * 5)
        check_resumable(place, "statements", listed)
        found = fetch(place, "statement_transactions")
        vouchers = [voucher for page in found for voucher in parsed(page).vouchers]
        assert len(vouchers) == 8
        assert {v.order for v in vouchers} == {row["order_id"] for rows in shop.rows.values() for row in rows}
        assert [page.outside_id for page in found][:4] == [
            "7238804564097517010/1",
            "7238804564097517010/2",
            "7238804564097517010/3",
            "7238804564097517011/1",
        ]
        check_resumable(place, "statement_transactions", found)


def test_orders_of_the_statements_are_read_by_sku() -> None:
    with market() as place:
        shop = Finance(place)
        found = fetch(place, "order_transactions")
        assert [page.outside_id for page in found] == [row["order_id"] for rows in shop.rows.values() for row in rows]
        assert all(parsed(page).vouchers for page in found)
        assert found[-1].resume == ""
        for page in found[:-1]:
            rest = {row.outside_id for row in fetch(place, "order_transactions", resume=page.resume)}
            assert rest >= {row.outside_id for row in found[found.index(page) + 1 :]}


def test_unsettled_payments_and_withdrawals_are_read_as_the_parsers_take_them() -> None:
    blocks = made.money({"subtotal_before_discount_amount": "50"}, {}, {"referral_fee_amount": "-3"}, prefix="est_")
    unsettled = [made.unsettled_transaction(n, blocks, order=f"5764632204565{n:05}") for n in range(3)]
    paid = [{**made.payment_row(f"34590000{n}", "94.00"), "create_time": T0 + n} for n in range(5)]
    moved = [
        {"id": f"W{n}", "type": "WITHDRAW", "amount": "9", "currency": "USD", "status": "SUCCESS", "create_time": T0 + n}
        for n in range(3)
    ]

    def withdrawals(asked: Asked) -> list[dict[str, Any]]:
        assert asked.query["types"] == "WITHDRAW,SETTLE,TRANSFER,REVERSE"
        return moved

    with market() as place:
        place.list("GET", "/finance/202507/orders/unsettled", "transactions", lambda asked: unsettled, size=2)
        place.list(
            "GET",
            "/finance/202605/payments",
            "payments",
            lambda asked: [row for row in paid if row["create_time"] >= int(asked.query["create_time_ge"])],
            size=2,
        )
        place.list("GET", "/finance/202309/withdrawals", "withdrawals", withdrawals, size=2)
        assert sum(len(parsed(page).vouchers) for page in fetch(place, "unsettled")) == 3
        payouts = {payout.outside_id for page in fetch(place, "payments") for payout in parsed(page).payouts}
        assert payouts == {row["id"] for row in paid}
        assert sum(len(parsed(page).payouts) for page in fetch(place, "withdrawals")) == 3
        for kind in ("unsettled", "payments", "withdrawals"):
            check_resumable(place, kind, fetch(place, kind))


def test_affiliate_orders_of_a_year_are_asked_in_windows_that_tiktok_takes() -> None:
    every = [{"id": str(day), "create_time": T0 - day * 86_400} for day in range(1, 300, 3)]

    def rows(asked: Asked) -> list[dict[str, Any]]:
        since, until = asked.body["create_time_ge"], asked.body["create_time_lt"]
        assert until - since <= 86 * 86_400
        return [row for row in every if since <= row["create_time"] < until]

    with market() as place:
        place.list("POST", "/affiliate_seller/202410/orders/search", "orders", rows, size=20)
        window = {"start": START - timedelta(days=300), "end": START}
        found = fetch(place, "affiliate_orders", **window)
        assert sorted(row["id"] for row in rows_of(found, "orders")) == sorted(row["id"] for row in every)
        assert found[-1].resume == "" and len({page.outside_id for page in found}) == len(found)
        for number, page in enumerate(found[:-1], start=1):
            assert fetch(place, "affiliate_orders", resume=page.resume, **window) == found[number:]


class Videos:
    """Performance of videos per day, complete up to a day."""

    def __init__(self, place: Market, *, latest: str = "2026-06-30") -> None:
        self.latest = latest
        self.days: list[str] = []
        place.list("GET", "/analytics/202605/shop_videos/performance", "videos", self.rows, size=2, latest_available_date=latest)

    def rows(self, asked: Asked) -> list[dict[str, Any]]:
        day = datetime.fromisoformat(asked.query["start_date_ge"])
        assert asked.query["end_date_lt"] == (day + timedelta(days=1)).date().isoformat()
        self.days.append(asked.query["start_date_ge"])
        return [{"id": f"{day.day}{n}", "gmv": {"amount": "1", "currency": "USD"}} for n in range(3)]


def test_performance_is_read_per_day_of_the_shops_zone() -> None:
    zone = timezone(timedelta(hours=-7))
    window = {"start": datetime(2026, 6, 3, tzinfo=zone), "end": datetime(2026, 6, 6, tzinfo=zone)}
    with market() as place:
        shop = Videos(place)
        found = fetch(place, "video_performance", **window)
        assert sorted(set(shop.days)) == ["2026-06-03", "2026-06-04", "2026-06-05"]
        assert [page.outside_id for page in found[:3]] == ["2026-06-03/1", "2026-06-03/2", "2026-06-04/1"]
        assert sum(page.rows for page in found) == 9 and found[-1].resume == ""
        for number, page in enumerate(found[:-1], start=1):
            assert fetch(place, "video_performance", resume=page.resume, **window) == found[number:]


def test_figures_that_are_not_ready_are_asked_for_later_and_those_long_gone_are_left_out() -> None:
    with market() as place:
        Videos(place, latest="2026-06-03")
        found = pages(
            login(),
            "video_performance",
            start=datetime(2026, 6, 3, tzinfo=UTC),
            end=datetime(2026, 6, 5, tzinfo=UTC),
            session=new_session(),
            client=client(place),
        )
        assert [next(found).outside_id, next(found).outside_id] == ["2026-06-03/1", "2026-06-03/2"]
        with pytest.raises(Temporary, match="2026-06-04 yet") as later:
            next(found)
        assert later.value.retry_after
        refused = Reply(code=28001022, message="date is invalid")
        place.on("GET", "/analytics/202609/shop/performance", lambda asked: refused)
        today = datetime.now(UTC)
        with pytest.raises(Temporary):
            fetch(place, "shop_performance", start=today, end=today + timedelta(days=1))
        old = today - timedelta(days=400)
        assert fetch(place, "shop_performance", start=old, end=old + timedelta(days=2)) == []


def test_stock_of_all_products_is_read_and_deleted_ones_are_not_asked_for() -> None:
    products = [{"id": f"17{n}", "status": "DELETED" if n == 1 else "ACTIVATE"} for n in range(5)]

    def inventory(asked: Asked) -> Reply:
        return Reply({"inventory": [{"product_id": one, "skus": []} for one in asked.body["product_ids"]]})

    with market() as place:
        place.list("POST", "/product/202502/products/search", "products", lambda asked: products, size=2)
        place.on("POST", "/product/202309/inventory/search", inventory)
        found = fetch(place, "inventory")
        assert [row["product_id"] for row in rows_of(found, "inventory")] == ["170", "172", "173", "174"]
        check_resumable(place, "inventory", found)


def test_shops_and_warehouses_come_as_one_page() -> None:
    with market() as place:
        place.on("GET", "/logistics/202309/warehouses", lambda asked: Reply({"warehouses": [{"id": "70"}]}))
        place.on("GET", "/seller/202309/shops", lambda asked: Reply({"shops": [{"id": "36", "region": "GB"}]}))
        kinds = ("shops", "active_shops", "warehouses")
        assert [(page.kind, page.rows, page.resume) for kind in kinds for page in fetch(place, kind)] == [
            ("shops", 2, ""),
            ("active_shops", 1, ""),
            ("warehouses", 1, ""),
        ]


def _fault(chance: Random) -> Reply | None:
    return chance.choice(
        [
            None,
            None,
            Reply(code=36009002, message="too many requests", status=429, headers={"Retry-After": "1"}),
            Reply(code=36009003, message="internal error"),
            Reply(raw=b"busy", status=503),
            Reply(raw=b'{"code":0,"data":{"ord'),
            Reply({"orders": []}, cut=True),
            Reply(code=106011, message="Invalid shop_cipher"),
        ]
    )


@pytest.mark.parametrize("kind", ["orders", "statement_transactions"])
@pytest.mark.parametrize("seed", range(8))
def test_faults_and_readers_that_die_anywhere_neither_lose_nor_change_a_record(kind: str, seed: int) -> None:
    chance = Random(seed)
    with market() as place:
        Orders(place, 230) if kind == "orders" else Finance(place)
        name = "orders" if kind == "orders" else "transactions"
        whole = {row["id"]: row for row in rows_of(fetch(place, kind), name)}
        found: dict[str, dict[str, Any]] = {}
        resume = ""
        for _life in range(200):
            place.faults = [_fault(chance) for _ in range(4)]
            reading = pages(login(), kind, start=START, end=END, session=new_session(), resume=resume, client=client(place))
            try:
                for page in islice(reading, chance.randint(1, 3)):  # then the reader dies
                    found |= {row["id"]: row for row in rows_of([page], name)}
                    resume = page.resume
            except (Temporary, Withdrawn):
                continue
            if not resume:
                break
        assert found == whole and resume == ""


def test_what_a_message_was_about_is_read_by_its_id() -> None:
    def returns(asked: Asked) -> Reply:
        return Reply({"return_orders": [{"return_id": found} for found in asked.body["return_ids"] if found == "403"]})

    with market() as place:
        Orders(place, 3)
        place.on("POST", "/return_refund/202602/returns/search", returns)
        place.on("POST", "/return_refund/202602/cancellations/search", lambda asked: Reply({"cancellations": None}))
        place.on("GET", r"/fulfillment/202309/packages/\d+", lambda asked: Reply({"package_id": asked.path.split("/")[-1]}))
        place.on("GET", r"/product/202309/products/\d+", lambda asked: Reply({"id": asked.path.split("/")[-1]}))
        place.on("GET", r"/fulfillment/202309/orders/\d+/tracking", lambda asked: Reply({"tracking": [{}, {}]}))
        line = client(place)
        found = [
            one(line, noun, outside_id)
            for noun, outside_id in (
                ("order", "576000000000000001"),
                ("return", "403"),
                ("return", "404"),
                ("cancellation", "9"),
                ("package", "11"),
                ("product", "17"),
                ("tracking", "576"),
            )
        ]
        assert [(page.kind, page.outside_id, page.rows) for page in found] == [
            ("orders", "576000000000000001", 1),
            ("returns", "403", 1),
            ("returns", "404", 0),
            ("cancellations", "9", 0),
            ("package", "11", 1),
            ("product", "17", 1),
            ("tracking", "576", 2),
        ]
        for noun, outside_id in (("conversation", "1"), ("", "1"), ("return", ""), ("package", "../x")):
            with pytest.raises(Permanent):
                one(line, noun, outside_id)


def test_a_wrong_kind_window_or_place_is_refused_before_anything_is_asked() -> None:
    with market() as place:
        with pytest.raises(Permanent, match="does not know the kind"):
            fetch(place, "wishes")
        with pytest.raises(Permanent, match="zone"):
            fetch(place, "orders", start=datetime(2026, 6, 1))
        with pytest.raises(Permanent, match="before its end"):
            fetch(place, "orders", start=END, end=START)
        for nonsense in ("x", "[1]", "{}", '["a","b","c","d","e","f"]'):
            for kind in KINDS:
                with pytest.raises(Permanent, match="resume"):
                    fetch(place, kind, resume=nonsense)
    assert place.asked == []
