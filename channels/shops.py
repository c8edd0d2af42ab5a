"""Finds the shop that somebody means by a short text, in commands and addresses."""

from __future__ import annotations

from channels.models import Shop


def find_shop(text: str, *, company: str = "") -> Shop:
    """The shop of code `text`, or of "COMPANY/SHOP"; `company` narrows it to one company's code.

    Raises:
        LookupError: there is none, or several companies have one of this code; the message says what to write instead.
    """
    code = text
    if "/" in text:
        said, code = text.split("/", 1)
        if company and said != company:
            raise LookupError(f"{text} names company {said}, but company {company} was asked for.")
        company = said
    shops = Shop.objects.select_related("company").filter(code=code).order_by("company__code")
    found = list(shops.filter(company__code=company) if company else shops)
    if len(found) == 1:
        return found[0]
    if found:
        choices = ", ".join(f"{shop.company.code}/{shop.code}" for shop in found)
        raise LookupError(f"Several companies have a shop {code}; write one of: {choices}.")
    where = f" of company {company}" if company else ""
    known = Shop.objects.select_related("company").order_by("company__code", "code")
    names = [f"{shop.company.code}/{shop.code}" for shop in (known.filter(company__code=company) if company else known)[:20]]
    rest = f" There are: {', '.join(names)}." if names else " There is none yet; make one with `manage.py add_shop`."
    raise LookupError(f"There is no shop {code}{where}.{rest}")
