"""Schedules follow what the tasks declare."""

from __future__ import annotations

import pytest
from django_q.models import Schedule

from nova.scheduling import declared, every, write_schedules


@pytest.mark.django_db
def test_every_declared_task_has_one_schedule_and_repeating_changes_nothing() -> None:
    write_schedules()
    write_schedules()
    rows = dict(Schedule.objects.values_list("func", "minutes"))
    assert rows == declared()
    assert rows["ledger.tasks.take_waiting"] == 1
    assert Schedule.objects.count() == len(rows)


@pytest.mark.django_db
def test_a_schedule_without_a_task_goes_and_one_made_by_staff_stays() -> None:
    Schedule.objects.create(name="nova: ledger.tasks.gone", func="ledger.tasks.gone", schedule_type="I", minutes=5)
    Schedule.objects.create(name="Monday report", func="django.core.management.call_command", schedule_type="W")
    write_schedules()
    names = set(Schedule.objects.values_list("name", flat=True))
    assert "nova: ledger.tasks.gone" not in names
    assert "Monday report" in names


@pytest.mark.parametrize("minutes", [0, 1441])
def test_an_interval_outside_a_minute_and_a_day_is_refused(minutes: int) -> None:
    with pytest.raises(ValueError, match="1 to 1440"):
        every(minutes=minutes)
