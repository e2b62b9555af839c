#!/usr/bin/env python3
"""Writes the test data that compares our schedules with independent implementations.

    python3 -m venv .dev/oracles
    .dev/oracles/bin/pip install python-dateutil==2.9.0.post0 croniter==7.0.0 cronsim==2.8 tzdata==2025.2
    PYTHONTZPATH= .dev/oracles/bin/python scripts/schedule-oracles.py

The answers are those of python-dateutil (rrule), croniter and cronsim (cron); nothing of ours takes part. The zones come
from the package tzdata, whose version must be the one that is compiled in (`TZDB_VERSION`): PYTHONTZPATH= makes Python
use it rather than the system's. The output is the
same at every run, but for rules that take dateutil longer than a second, which are left out.

Lines of rrules.txt:  zone | DTSTART and rule | first answer in Unix seconds and the distances of the following ones
Lines of crons.txt:   zone | expression | after | cronsim's answers | croniter's, if they differ
"""

import random
import re
from datetime import datetime, timedelta, timezone
from pathlib import Path
from zoneinfo import ZoneInfo

import zoneinfo
from croniter import croniter
from cronsim import CronSim
from dateutil.rrule import rrulestr

OUT = Path(__file__).resolve().parent.parent / "scheduler_core/src/schedule/tests/data"
UTC = timezone.utc

# Every kind of clock change: one hour north and south, half an hour, two hours, negative summer time, off for Ramadan,
# a missing day, at midnight, offsets of three quarters of an hour, changes of standard time, none at all.
ZONES = {
    "UTC": ["2026-03-01"],
    "America/New_York": ["2026-03-08", "2026-11-01"],
    "America/St_Johns": ["2026-03-08", "2026-11-01"],
    "America/Havana": ["2026-03-08", "2026-11-01"],
    "America/Sao_Paulo": ["2018-11-04", "2018-02-18"],
    "America/Santiago": ["2026-04-05", "2026-09-06"],
    "America/Asuncion": ["2023-10-01", "2024-03-24"],
    "America/Caracas": ["2016-05-01", "2007-12-09"],
    "Europe/Berlin": ["2026-03-29", "2026-10-25"],
    "Europe/Dublin": ["2026-03-29", "2026-10-25"],
    "Europe/London": ["2026-03-29", "2026-10-25"],
    "Europe/Moscow": ["2011-03-27", "2014-10-26"],
    "Africa/Casablanca": ["2026-02-15", "2026-03-22"],
    "Africa/Cairo": ["2026-04-24", "2026-10-30"],
    "Asia/Beirut": ["2026-03-29", "2026-10-25"],
    "Asia/Tehran": ["2022-03-22", "2022-09-22"],
    "Asia/Gaza": ["2026-03-28", "2026-10-24"],
    "Asia/Pyongyang": ["2015-08-15", "2018-05-05"],
    "Asia/Kolkata": ["2026-03-01"],
    "Australia/Lord_Howe": ["2026-04-05", "2026-10-04"],
    "Australia/Adelaide": ["2026-04-05", "2026-10-04"],
    "Pacific/Chatham": ["2026-04-05", "2026-09-27"],
    "Pacific/Apia": ["2011-12-30", "2012-04-01"],
    "Pacific/Easter": ["2026-04-04", "2026-09-05"],
    "Antarctica/Troll": ["2026-03-29", "2026-10-25"],
}


def instant(naive, zone):
    """Our default policy, said independently: the first pass, or the first instant after the gap."""
    first = naive.replace(tzinfo=zone, fold=0)
    back = first.astimezone(UTC).astimezone(zone).replace(tzinfo=None)
    if back == naive:
        return int(first.timestamp())
    # In a gap: bisect for the instant at which the offset changes.
    low, high = (int(naive.replace(tzinfo=UTC).timestamp()) + d * 86400 for d in (-2, 2))
    def local(at):
        return datetime.fromtimestamp(at, UTC).astimezone(zone).replace(tzinfo=None)
    while high - low > 1:
        middle = (low + high) // 2
        if local(middle) >= naive:
            high = middle
        else:
            low = middle
    return high


def packed(times):
    return " ".join([str(times[0])] + [str(b - a) for a, b in zip(times, times[1:])]) if times else "-"


# --- rrules -----------------------------------------------------------------------------------------------------------

DAYS = ["MO", "TU", "WE", "TH", "FR", "SA", "SU"]


def pick(random, values, most):
    return ",".join(str(v) for v in sorted(random.sample(values, random.randint(1, most))))


def signed(last):
    return list(range(1, last + 1)) + list(range(-last, 0))


def random_rule(rng, freq):
    parts = [f"FREQ={freq}"]
    if rng.random() < 0.5:
        parts.append(f"INTERVAL={rng.choice([1, 2, 3, 4, 5, 7, 10, 13])}")
    ordinal = freq in ("MONTHLY", "YEARLY")
    # dateutil walks through every hour, minute and second: rare days would take it minutes.
    rare = freq not in ("MINUTELY", "SECONDLY")
    by = []
    if rare and rng.random() < 0.35:
        by.append(f"BYMONTH={pick(rng, list(range(1, 13)), 4)}")
    if rare and freq != "WEEKLY" and rng.random() < 0.3:
        by.append(f"BYMONTHDAY={pick(rng, signed(31), 4)}")
    if freq in ("YEARLY", "HOURLY") and rng.random() < 0.2:
        by.append(f"BYYEARDAY={pick(rng, signed(366), 5)}")
    weeks = freq == "YEARLY" and rng.random() < 0.2
    if weeks:
        by.append(f"BYWEEKNO={pick(rng, list(range(1, 54)) + [-1], 3)}")
    # Beside BYWEEKNO always: dateutil fills in all seven days, the standard the one of DTSTART.
    if weeks or rng.random() < 0.45:
        if ordinal and not weeks and rng.random() < 0.5:
            most = 5 if freq == "MONTHLY" or any(p.startswith("BYMONTH=") for p in by) else 53
            by.append("BYDAY=" + ",".join(f"{rng.choice(signed(most))}{d}" for d in rng.sample(DAYS, rng.randint(1, 2))))
        else:
            by.append("BYDAY=" + ",".join(rng.sample(DAYS, rng.randint(1, 4))))
    if rng.random() < 0.3:
        by.append(f"BYHOUR={pick(rng, list(range(24)), 3)}")
    if rng.random() < 0.3:
        by.append(f"BYMINUTE={pick(rng, list(range(60)), 3)}")
    if rng.random() < 0.1:
        by.append(f"BYSECOND={pick(rng, list(range(60)), 2)}")
    if by and freq != "SECONDLY" and rng.random() < 0.25:
        by.append(f"BYSETPOS={pick(rng, [1, 2, 3, -1, -2, -3], 2)}")
    parts += by
    if rng.random() < 0.3:
        parts.append(f"WKST={rng.choice(DAYS)}")
    return parts


def rrules(rng):
    zones = list(ZONES)
    lines = []
    while len(lines) < 1000:
        freq = rng.choice(["YEARLY", "MONTHLY", "WEEKLY", "DAILY", "DAILY", "HOURLY", "MINUTELY", "SECONDLY"])
        parts = random_rule(rng, freq)
        long = freq in ("YEARLY", "MONTHLY", "WEEKLY", "DAILY")
        name = rng.choice(zones)
        # Through clock changes, dateutil walks hours on the clock on the wall; ours are real.
        if not long:
            name = "UTC"
        start = datetime(rng.randint(1997, 2026), rng.randint(1, 12), rng.randint(1, 28), rng.choice([0, 1, 2, 3, 9, 23]), rng.choice([0, 15, 30, 59]))
        if long and rng.random() < 0.5:
            change = datetime.fromisoformat(rng.choice(ZONES[name]))
            start = change - timedelta(days=rng.randint(0, 40)) + timedelta(hours=rng.choice([0, 1, 2, 3]), minutes=rng.choice([0, 30]))
        if freq == "WEEKLY" and any(p.startswith("BYSETPOS") for p in parts):
            # dateutil takes the first week from DTSTART on, and not as a whole.
            wkst = next((p[5:] for p in parts if p.startswith("WKST=")), "MO")
            start -= timedelta(days=(start.weekday() - DAYS.index(wkst)) % 7)
        end = rng.random()
        if end < 0.2:
            parts.append(f"COUNT={rng.randint(1, 9)}")
        elif end < 0.3:
            parts.append(f"UNTIL={start + timedelta(days=rng.choice([1, 30, 400, 4000])):%Y%m%dT%H%M%S}" + ("Z" if name == "UTC" else ""))
        rule = ";".join(parts)
        try:
            naive = rrulestr(re.sub(r"(UNTIL=\w+?)Z", r"\1", rule), dtstart=start)
        except ValueError as error:
            assert "generates an empty set" in str(error), error
            naive = []
        found, zone = [], ZoneInfo(name)
        # A hundred years of looking is enough, and dateutil looks slowly.
        give_up = start + timedelta(days=36500 if long else 1000)
        theirs = bounded(naive, give_up)
        if theirs is None:
            print(f"left out, for it takes too long: {rule}")
            continue
        for at in theirs:
            seconds = instant(at, zone)
            if not found or seconds > found[-1]:
                found.append(seconds)
            if len(found) == 8:
                break
        lines.append(f"{name}|{start:%Y%m%dT%H%M%S} {rule}|{packed(found)}")
    return lines


def bounded(rule, give_up):
    import signal

    class Slow(Exception):
        pass

    def alarm(*_):
        raise Slow

    signal.signal(signal.SIGALRM, alarm)
    signal.setitimer(signal.ITIMER_REAL, 1)
    found = []
    try:
        for at in rule:
            if at > give_up or len(found) == 20:
                break
            found.append(at)
    except Slow:
        return None
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
    return found


# --- cron -------------------------------------------------------------------------------------------------------------


def cron_field(rng, first, last, names=()):
    kind = rng.random()
    if kind < 0.35:
        return "*"
    if kind < 0.5:
        return f"*/{rng.choice([2, 3, 5, 7, 10, 15, 20, 30])}" if last > 30 else f"*/{rng.choice([2, 3, 4, 6])}"
    if kind < 0.8:
        return ",".join(str(v) for v in sorted(rng.sample(range(first, last + 1), rng.randint(1, 3))))
    low, high = sorted(rng.sample(range(first, last + 1), 2))
    if names and rng.random() < 0.5:
        return f"{names[low - first]}-{names[high - first]}"
    return f"{low}-{high}" + (f"/{rng.choice([2, 3])}" if rng.random() < 0.4 else "")


MONTHS = "JAN FEB MAR APR MAY JUN JUL AUG SEP OCT NOV DEC".split()
WEEK = "SUN MON TUE WED THU FRI SAT".split()


def random_cron(rng):
    minute = cron_field(rng, 0, 59)
    hour = rng.choice([cron_field(rng, 0, 23), cron_field(rng, 0, 3), str(rng.randint(0, 3))])
    day = rng.choice(["*", "*", cron_field(rng, 1, 31), rng.choice(["L", "LW", "15W", "1,15"])])
    month = rng.choice(["*", "*", "*", cron_field(rng, 1, 12, MONTHS)])
    week = rng.choice(["*", "*", cron_field(rng, 0, 6, WEEK), rng.choice(["FRI#2", "1#1", "5L"])])
    return f"{minute} {hour} {day} {month} {week}"


def crons(rng):
    real = [line.strip() for line in (OUT / "seen_in_the_wild.txt").read_text().splitlines() if line.strip()]
    cases = []
    for expression in real:
        if len(expression.split()) == 5:
            name = rng.choice(list(ZONES))
            cases.append((name, expression, rng.choice(ZONES[name])))
    while len(cases) < 2200:
        name = rng.choice(list(ZONES))
        cases.append((name, random_cron(rng), rng.choice(ZONES[name])))
    lines = []
    for name, expression, change in cases:
        zone = ZoneInfo(name)
        after = int(datetime.fromisoformat(change).replace(tzinfo=UTC).timestamp())
        after += rng.choice([-129600, -86400, -43200, -7200, 0, 3600]) + rng.randint(0, 3599)
        theirs = [cronsim(expression, after, zone), by_croniter(expression, after, zone)]
        if theirs[0] is None and theirs[1] is None:
            continue
        shown = [packed(times) if times is not None else "refused" for times in theirs]
        lines.append("|".join([name, expression, str(after), shown[0]] + ([shown[1]] if shown[1] != shown[0] else [])))
    return lines


def cronsim(expression, after, zone):
    try:
        times = CronSim(expression, datetime.fromtimestamp(after, UTC).astimezone(zone))
        return [int(next(times).timestamp()) for _ in range(6)]
    except Exception:
        return None


def by_croniter(expression, after, zone):
    try:
        times = croniter(expression, datetime.fromtimestamp(after, UTC).astimezone(zone), implement_cron_bug=True)
        return [int(times.get_next(datetime).timestamp()) for _ in range(6)]
    except Exception:
        return None


def main():
    assert not zoneinfo.TZPATH, "set PYTHONTZPATH= so that the zones of the package tzdata are used"
    OUT.mkdir(parents=True, exist_ok=True)
    for name, lines in (("rrules.txt", rrules(random.Random(5545))), ("crons.txt", crons(random.Random(5)))):
        (OUT / name).write_text("\n".join(lines) + "\n")
        print(f"{name}: {len(lines)} lines")


if __name__ == "__main__":
    main()
