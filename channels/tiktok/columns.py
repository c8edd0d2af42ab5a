"""The columns of TikTok's exports: what each is called in the editions seen, and which money of the API it is.

Parts carry the API's own block and field name, so that file and API make the same fee types.
"""

from __future__ import annotations

from typing import NamedTuple

from channels.adapter import Column
from channels.tiktok.breakdown import FEE, GROSS, GROSS_REFUND, NET_COMMISSION, REVENUE, SHIPPING, TAX


class Part(NamedTuple):
    """A column of money: the API's block and field name, and headers seen (the first is the label)."""

    path: str
    name: str
    known: tuple[str, ...]
    #: A finer figure of other columns in some editions: left out where the rest already adds up to the block's total.
    doubtful: bool = False


PARTS = (
    Part(REVENUE, GROSS, ("Subtotal before discounts", "Gross sales", "Item subtotal before discounts")),
    Part(REVENUE, "seller_discount_amount", ("Seller discounts", "Seller discount")),
    Part(
        REVENUE,
        GROSS_REFUND,
        ("Refund subtotal before seller discounts", "Gross sales refund", "Refund subtotal before discounts"),
    ),
    Part(
        REVENUE,
        "seller_discount_refund_amount",
        ("Refund of seller discounts", "Seller discount refund", "Seller discounts refund"),
    ),
    Part(REVENUE, "cod_service_fee_amount", ("COD service fee", "Cash on delivery service fee")),
    Part(REVENUE, "refund_cod_service_fee_amount", ("Refund of COD service fee", "COD service fee refund")),
    Part(REVENUE, "distant_item_fee_amount", ("Distant item fee", "Distance item fee from Horizon+ Program")),
    Part(
        SHIPPING,
        "actual_shipping_fee_amount",
        ("Actual shipping fee", "Shipping costs passed on to the logistics provider", "Actual shipping cost"),
    ),
    Part(SHIPPING, "fbm_shipping_cost_amount", ("TikTok Shop shipping fee", "TikTok Shop shipping cost")),
    Part(
        SHIPPING,
        "fbt_shipping_cost_amount",
        ("Fulfilled by TikTok Shop shipping fee", "Fulfilled by TikTok Shop (FBT) shipping fee", "FBT shipping fee"),
    ),
    Part(SHIPPING, "fbt_fulfillment_fee_amount", ("FBT fulfillment fee", "FBT fulfilment fee")),
    Part(
        SHIPPING,
        "fbt_fulfillment_fee_reimbursement_amount",
        ("FBT fulfillment fee reimbursement", "FBT fulfilment fee reimbursement"),
    ),
    Part(SHIPPING, "fbt_free_shipping_fee_amount", ("FBT free shipping fee",)),
    Part(
        SHIPPING,
        "shipping_fee_discount_amount",
        ("Shipping fee discount", "Platform shipping fee discount", "Shipping cost borne by the platform"),
    ),
    Part(SHIPPING, "tiktok_shop_shipping_incentive_amount", ("TikTok Shop shipping incentive",)),
    Part(SHIPPING, "tiktok_shop_shipping_incentive_refund_amount", ("TikTok Shop shipping incentive refund",)),
    Part(
        SHIPPING,
        "promo_shipping_incentive_amount",
        ("Limited-time sign up shipping incentive", "Limited time sign up shipping incentive"),
    ),
    Part(SHIPPING, "shipping_fee_subsidy_amount", ("Shipping fee subsidy", "Shipping subsidy", "Shipping cost subsidy")),
    Part(
        SHIPPING,
        "customer_paid_shipping_fee_amount",
        ("Customer-paid shipping fee", "Customer shipping fee", "Shipping cost paid by the customer"),
    ),
    Part(
        SHIPPING,
        "customer_paid_shipping_fee_refund_amount",
        (
            "Customer-paid shipping fee refund",
            "Refunded customer shipping fee",
            "Refunded shipping cost paid by the customer",
            "Customer shipping fee refund",
        ),
    ),
    Part(SHIPPING, "customer_shipping_fee", ("Customer-paid shipping fee before discounts",), doubtful=True),
    Part(SHIPPING, "seller_shipping_fee_discount_amount", ("Seller shipping fee discount",), doubtful=True),
    Part(SHIPPING, "customer_shipping_fee_offset_amount", ("Customer shipping fee offset",)),
    Part(
        SHIPPING,
        "return_shipping_fee_amount",
        ("Return shipping fee", "Actual return shipping fee", "Return shipping costs (passed on to the customer)"),
    ),
    Part(SHIPPING, "return_shipping_label_fee_amount", ("Return shipping label fee",)),
    Part(
        SHIPPING,
        "replacement_shipping_fee_amount",
        ("Replacement shipping fee", "Replacement shipping fee (passed on to the customer)"),
    ),
    Part(
        SHIPPING, "exchange_shipping_fee_amount", ("Exchange shipping fee", "Exchange shipping fee (passed on to the customer)")
    ),
    Part(SHIPPING, "signature_confirmation_fee_amount", ("Signature confirmation service fee", "Signature confirmation fee")),
    Part(SHIPPING, "shipping_insurance_fee_amount", ("Shipping insurance fee",)),
    Part(SHIPPING, "distant_shipping_fee_amount", ("Distant shipping fee", "Distance shipping fee from Horizon+ Program")),
    Part(SHIPPING, "return_shipping_fee_paid_buyer_amount", ("Return shipping fee (paid by customers)",)),
    Part(
        SHIPPING,
        "shipping_fee_guarantee_reimbursement",
        ("Return shipping fee reimbursement", "Shipping Fee Guarantee reimbursement"),
    ),
    Part(SHIPPING, "seller_self_shipping_service_fee_amount", ("Shipping app service fee",)),
    Part(SHIPPING, "failed_delivery_subsidy_amount", ("Failed delivery subsidy",)),
    Part(SHIPPING, "free_return_subsidy_amount", ("Free return subsidy",)),
    Part(
        FEE,
        "platform_commission_amount",
        ("TikTok Shop commission fee", "Platform commission fee", "Platform commission", "Commission fee"),
    ),
    Part(FEE, "referral_fee_amount", ("Referral fee",)),
    Part(FEE, "dynamic_commission_amount", ("Dynamic commission",)),
    Part(FEE, "transaction_fee_amount", ("Transaction fee", "Payment fee")),
    Part(FEE, "refund_administration_fee_amount", ("Refund administration fee",)),
    Part(FEE, "credit_card_handling_fee_amount", ("Credit card handling fee", "Credit card installment - Interest rate cost")),
    Part(
        FEE,
        "seller_paylater_handling_fee_amount",
        ("TikTok PayLater program fee", "PayLater program fee", "PayLater Handling Fee"),
    ),
    Part(FEE, NET_COMMISSION, ("Affiliate commission",)),
    Part(FEE, "affiliate_partner_commission_amount", ("Affiliate partner commission",)),
    Part(FEE, "affiliate_ads_commission_amount", ("Affiliate Shop Ads commission",)),
    Part(FEE, "tap_shop_ads_commission", ("Affiliate Partner shop ads commission",)),
    Part(FEE, "affiliate_commission_deposit", ("Affiliate commission deposit",)),
    Part(FEE, "affiliate_commission_release", ("Affiliate commission refund", "Affiliate commission release")),
    Part(FEE, "tsp_commission_amount", ("TikTok Shop Partner commission",)),
    Part(FEE, "external_affiliate_marketing_fee_amount", ("External affiliate marketing fee",)),
    Part(FEE, "cofunded_creator_bonus_amount", ("Co-funded creator bonus", "Cofunded creator bonus")),
    Part(
        FEE, "cofunded_promotion_service_fee_amount", ("Co-funded promotion (seller-funded)", "Co-funded promotion service fee")
    ),
    Part(FEE, "campaign_resource_fee", ("Campaign resource fee",)),
    Part(FEE, "smart_promotion_fee_amount", ("Smart Promotion fee",)),
    Part(FEE, "campaign_period_fee_sp_amount", ("Smart Promotion campaign period fee",)),
    Part(FEE, "platform_special_service_fee_amount", ("Platform special service fee",)),
    Part(FEE, "gmv_max_ad_fee_amount", ("GMV Max ad fee",)),
    Part(FEE, "gmv_max_coupon_fee", ("GMV Max Coupon", "GMV Max coupon fee")),
    Part(FEE, "sfp_service_fee_amount", ("SFP service fee", "Shipping Fee Program service fee")),
    Part(FEE, "mall_service_fee_amount", ("Mall service fee",)),
    Part(FEE, "voucher_xtra_service_fee_amount", ("Voucher Xtra service fee",)),
    Part(FEE, "bonus_cashback_service_fee_amount", ("Bonus cashback service fee",)),
    Part(FEE, "pre_order_service_fee_amount", ("Pre-order service fee",)),
    Part(
        FEE,
        "flash_sales_service_fee_amount",
        ("Brands Crazy Deals/Flash Sale service fee", "Brand Crazy Deals/Flash Sale service fee", "Flash Sale service fee"),
    ),
    Part(FEE, "live_specials_fee_amount", ("LIVE Specials service fee",)),
    Part(FEE, "fee_per_item_sold_amount", ("Fee per item sold", "Fee per item")),
    Part(FEE, "vn_fix_infrastructure_fee", ("Fix Infrastructure Fee", "Infrastructure fee")),
    Part(FEE, "dt_handling_fee_amount", ("DT Handling Fee", "Dilayani Tokopedia handling fee")),
    Part(FEE, "epr_pob_service_fee_amount", ("EPR Pay on Behalf service fee",)),
    Part(FEE, "installation_service_fee", ("Installation service fee",)),
    Part(FEE, "shipping_fee_guarantee_service_fee", ("Shipping Fee Guarantee service fee",)),
    Part(FEE, "seller_growth_fee_amount", ("Commerce growth fee", "Seller growth fee")),
    Part(TAX, "sales_tax_referral_fee_amount", ("Sales tax on referral fees", "Sales tax on referral fee")),
    Part(TAX, "smart_promotion_fee_tax_amount", ("Smart Promotion fee tax", "Sales tax on Smart Promotion fee")),
    Part(TAX, "local_vat_amount", ("VAT withheld by TikTok Shop", "VAT")),
    Part(TAX, "pit_amount", ("PIT withheld by TikTok Shop",)),
    Part(TAX, "isr_amount", ("ISR", "Income tax (ISR)")),
    Part(TAX, "iva_amount", ("IVA", "VAT (IVA)")),
    Part(TAX, "import_vat_amount", ("Import VAT",)),
    Part(TAX, "customs_duty_amount", ("Customs duty",)),
    Part(TAX, "customs_clearance_amount", ("Customs clearance", "Customs clearance fee")),
    Part(TAX, "anti_dumping_duty_amount", ("Anti-dumping duty",)),
    Part(TAX, "sst_amount", ("SST",)),
    Part(TAX, "gst_amount", ("GST",)),
)
#: What stands for a part in editions that do not have the part itself.
INSTEAD = {GROSS: "Subtotal after seller discounts", GROSS_REFUND: "Refund subtotal after seller discounts"}
#: Columns inside the blocks that repeat money of other columns: subtotals and figures before income tax.
REPEATED = (
    "Subtotal after seller discounts",
    "Refund subtotal after seller discounts",
    "Affiliate commission before PIT (personal income tax)",
    "Affiliate commission before PIT",
    "Personal income tax withheld from affiliate commission",
    "Affiliate Shop Ads commission before PIT",
    "Affiliate Shop Ads commission before PIT (personal income tax)",
    "Personal income tax withheld from affiliate Shop Ads commission",
)
BLOCKS = {"revenue": (REVENUE,), "shipping": (SHIPPING,), "fees": (FEE, TAX)}


def _parts_of(block: str) -> tuple[str, ...]:
    return tuple(part.name for part in PARTS if part.path in BLOCKS[block])


def _columns(total: Column, *, dates: tuple[Column, ...]) -> tuple[Column, ...]:
    return (
        Column("order", "Order or adjustment id", required=True, known=("Order/adjustment ID", "Order ID")),
        Column("type", "Type", known=("Type", "Transaction type")),
        Column("related_order", "Related order id", known=("Related order ID",)),
        *dates,
        Column(
            "created",
            "Order created",
            "date",
            known=("Order created time", "Order created date", "Order create date", "creation date"),
        ),
        Column(
            "delivered", "Order delivered", "date", known=("Order delivery date", "Order delivery time", "Order delivered time")
        ),
        Column("currency", "Currency", known=("Currency",)),
        Column("reason", "Reason of an adjustment", known=("Adjustment reason", "Adjustment reasons")),
        Column("sku", "SKU id", known=("SKU ID",)),
        Column("quantity", "Quantity", "integer", known=("Quantity",)),
        Column("product", "Product name", known=("Product name",)),
        Column("sku_name", "SKU name", known=("SKU name",)),
        total,
        Column("revenue", "Total revenue", "amount", known=("Total revenue", "Net sales"), sum_of=_parts_of("revenue")),
        Column(
            "subtotal_after",
            "Subtotal after seller discounts",
            "amount",
            known=("Subtotal after seller discounts",),
            sum_of=(GROSS, "seller_discount_amount"),
        ),
        Column(
            "refund_after",
            "Refund subtotal after seller discounts",
            "amount",
            known=("Refund subtotal after seller discounts",),
            sum_of=(GROSS_REFUND, "seller_discount_refund_amount"),
        ),
        Column(
            "shipping",
            "Total shipping",
            "amount",
            known=("Shipping", "Seller shipping fee", "Shipping cost", "Total shipping"),
            sum_of=_parts_of("shipping"),
        ),
        Column("fees", "Total fees", "amount", known=("Total fees", "Fees"), sum_of=_parts_of("fees")),
        Column("adjustment", "Adjustment", "amount", known=("Adjustment amount", "Ajustment amount")),
        *(Column(part.name, part.known[0], "amount", known=part.known) for part in PARTS),
    )


_SUM = ("revenue", "shipping", "fees", "adjustment")
INCOME_COLUMNS = _columns(
    Column("total", "Total settlement amount", "amount", True, ("Total settlement amount", "Settlement amount"), _SUM),
    dates=(
        Column("statement", "Statement id", known=("Statement ID",)),
        Column("settled", "Day of the statement", "date", True, ("Statement date", "Order settled time", "Order settled date")),
        Column("payment", "Payment id", known=("Payment ID",)),
    ),
)
UNSETTLED_COLUMNS = _columns(
    Column("total", "Total estimated settlement amount", "amount", True, ("Total estimated settlement amount",), _SUM),
    dates=(),
)
