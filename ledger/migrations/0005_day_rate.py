"""The rate of a day, in the database, so that every rollup converts by the same rule."""

from django.db import migrations

CREATE = """
CREATE FUNCTION nova_euro_rate(wanted text, on_day date) RETURNS numeric LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT CASE WHEN wanted = 'EUR' THEN 1 ELSE (
        SELECT rate FROM nova_exchangerate WHERE currency = wanted AND on_date <= on_day ORDER BY on_date DESC LIMIT 1
    ) END
$$;
CREATE FUNCTION nova_day_rate(from_currency text, to_currency text, on_day date) RETURNS numeric LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT CASE WHEN from_currency = to_currency THEN 1
        ELSE round(nova_euro_rate(to_currency, on_day) / nova_euro_rate(from_currency, on_day), 10) END
$$;
"""


class Migration(migrations.Migration):
    dependencies = [("ledger", "0004_rule_overlap"), ("nova", "0001_initial")]

    operations = [migrations.RunSQL(CREATE, "DROP FUNCTION nova_day_rate; DROP FUNCTION nova_euro_rate;")]
