"""Ticks of cron expressions: by croniter in UTC, and in time zones by going through every minute with zoneinfo."""

import datetime
import random
from pathlib import Path
from zoneinfo import ZoneInfo

import airflow_packages  # noqa: F401
from cases import write_cases
from croniter import croniter

UTC = datetime.timezone.utc
MINUTE = datetime.timedelta(minutes=1)
# Vixie cron's rule of days (a field that starts with a star) differs from croniter's where a step follows the star:
# the unit test has those by hand.
EXPRESSIONS = [
    "* * * * *",
    "*/7 * * * *",
    "0 * * * *",
    "30 6 * * *",
    "0 0 1 * *",
    "15 14 1 * *",
    "0 22 * * 1-5",
    "23 0-20/2 * * *",
    "5 4 * * sun",
    "0 0,12 1 */2 *",
    "0 4 8-14 * *",
    "0 0 1,15 * 3",
    "*/15 9-17 * * MON-FRI",
    "0 0 29 2 *",
    "59 23 31 12 *",
    "0 0 31 * *",
    "1-59/13 */5 * jan,JUL *",
    "0 3 * 6-8 6,7",
    "10 10 10 10 *",
    "0 0 * * 0",
    "0 0 * * 7",
    "45 5 28-31 * *",
    "@hourly",
    "@daily",
    "@weekly",
    "@monthly",
    "@yearly",
    "@midnight",
    "@annually",
    "5/20 * * * *",
]
STARTS = [
    "2024-01-31T23:59:30",
    "2024-02-28T06:00:00",
    "2023-12-31T23:59:00",
    "1999-12-31T12:34:56",
    "2096-02-28T23:00:00",
    "2024-06-14T17:40:00",
    "1970-01-01T00:00:00",
    "2026-11-26T19:20:00",
]


def text(moment: datetime.datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def in_utc() -> list[dict]:
    cases = []
    for expression in EXPRESSIONS:
        for start in STARTS:
            ticks = croniter(
                expression,
                datetime.datetime.fromisoformat(start).replace(tzinfo=UTC),
                ret_type=datetime.datetime,
                max_years_between_matches=45,
            )
            cases.append({"cron": expression, "from": start + "Z", "ticks": [text(ticks.get_next()) for _ in range(4)]})
    return cases


def field(text_of: str, low: int, high: int) -> set[int]:
    """A field without names: lists, ranges, steps."""
    values = set()
    for item in text_of.split(","):
        span, _, step = item.partition("/")
        first, _, last = span.partition("-")
        start = low if span == "*" else int(first)
        stop = high if span == "*" or (step and not last) else int(last or first)
        values |= set(range(start, stop + 1, int(step or 1)))
    return values


def ticks_in_zone(expression: str, zone: str, start: datetime.datetime, count: int) -> list[str]:
    """crontab(5) of Vixie cron, minute by minute as time passes.

    Hours given by a star follow the clock on the wall whenever it shows them. Otherwise a tick comes when the wall
    shows it for the first time, and one that the wall skips comes with the first minute after.
    """
    minutes, hours, days, months, weekdays = (
        field(part, *bounds) for part, bounds in zip(expression.split(), [(0, 59), (0, 23), (1, 31), (1, 12), (0, 7)])
    )
    star_day = any(expression.split()[n].startswith("*") for n in (2, 4))
    every_hour = expression.split()[1].startswith("*")
    tz = ZoneInfo(zone)

    def matches(wall: datetime.datetime) -> bool:
        of_month, of_week = wall.day in days, wall.isoweekday() % 7 in {day % 7 for day in weekdays}
        day = (of_month and of_week) if star_day else (of_month or of_week)
        return wall.minute in minutes and wall.hour in hours and wall.month in months and day

    found = []
    # A day before the start, the wall has shown everything up to its own time.
    now = start - datetime.timedelta(days=2)
    wall = now.astimezone(tz).replace(tzinfo=None)
    furthest = wall
    while len(found) < count:
        now += MINUTE
        wall = now.astimezone(tz).replace(tzinfo=None)
        if every_hour:
            due = matches(wall)
        else:
            due = False
            while furthest < wall:  # what the wall shows now, and what it skipped
                furthest += MINUTE
                due = due or matches(furthest)
        if due and now > start:
            found.append(text(now))
    return found


ZONES = {
    "Europe/Paris": ["2024-03-30T20:00", "2024-10-26T20:00", "2024-06-01T00:00"],
    "America/New_York": ["2024-03-10T00:00", "2024-11-03T00:00"],
    "Australia/Lord_Howe": ["2024-04-06T10:00", "2024-10-05T10:00"],
    "America/Sao_Paulo": ["2018-11-03T20:00", "2018-02-17T20:00"],
    "Pacific/Apia": ["2011-12-29T20:00"],
    "Asia/Kolkata": ["2024-03-30T20:00"],
    "America/St_Johns": ["2024-03-09T20:00", "2024-11-02T20:00"],
    "Antarctica/Troll": ["2024-03-30T20:00", "2024-10-26T20:00"],
    "Africa/Cairo": ["2024-04-25T18:00", "2024-10-31T18:00"],
    "Asia/Tehran": ["2022-03-21T16:00", "2022-09-21T16:00"],
    "Europe/London": ["2024-03-30T22:00", "2024-10-26T22:00"],
}
IN_ZONES = [
    "30 2 * * *",
    "0 2 * * *",
    "15,45 1-3 * * *",
    "0 0 * * *",
    "30 0 * * *",
    "59 23 * * *",
    "0 * * * *",
    "*/20 * * * *",
    "30 */2 * * *",
    "0 1,2,3 * * 0",
    "10 2 31 3 *",
    "5 3 * * *",
]


def in_zones() -> list[dict]:
    cases = []
    for zone, starts in ZONES.items():
        for start in starts:
            for expression in IN_ZONES:
                if expression == "10 2 31 3 *" and not start.startswith("2024-03-30"):
                    continue  # a year of minutes for each tick
                count = 1 if expression == "10 2 31 3 *" else 4
                at = datetime.datetime.fromisoformat(start).replace(tzinfo=UTC)
                cases.append(
                    {
                        "name": f"{zone} {expression}",
                        "cron": expression,
                        "zone": zone,
                        "from": text(at),
                        "ticks": ticks_in_zone(expression, zone, at, count),
                    }
                )
    return cases


def make(out: Path) -> None:
    write_cases(out / "cron_utc.json", in_utc())
    write_cases(out / "cron_zones.json", in_zones())
