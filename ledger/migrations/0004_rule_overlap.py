"""Two approved rules with the same selector never hold at the same time (the wheel has no btree_gist: ranges stand in)."""

from django.db import migrations

SELECTOR = (
    "hashtextextended(channel || E'\\x1f' || marketplace || E'\\x1f' || path || E'\\x1f' || name || E'\\x1f' || context, 0) >> 1"
)

ADD_FEE = f"""
ALTER TABLE ledger_feerule ADD CONSTRAINT ledger_feerule_no_overlap EXCLUDE USING gist (
    int8range(company_id, company_id, '[]') WITH &&,
    int8range({SELECTOR}, {SELECTOR}, '[]') WITH &&,
    daterange(valid_from, valid_to, '[)') WITH &&
) WHERE (status = 'approved')
"""
SCOPE = "hashtextextended(channel || E'\\x1f' || category_id::text, 0) >> 1"
ADD_SCOPE = f"""
ALTER TABLE ledger_scoperule ADD CONSTRAINT ledger_scoperule_no_overlap EXCLUDE USING gist (
    int8range(company_id, company_id, '[]') WITH &&,
    int8range({SCOPE}, {SCOPE}, '[]') WITH &&,
    daterange(valid_from, valid_to, '[)') WITH &&
) WHERE (status = 'approved')
"""


class Migration(migrations.Migration):
    dependencies = [("ledger", "0003_categories")]

    operations = [
        migrations.RunSQL(ADD_FEE, "ALTER TABLE ledger_feerule DROP CONSTRAINT ledger_feerule_no_overlap"),
        migrations.RunSQL(ADD_SCOPE, "ALTER TABLE ledger_scoperule DROP CONSTRAINT ledger_scoperule_no_overlap"),
    ]
