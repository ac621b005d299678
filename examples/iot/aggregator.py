"""Function aggregator: makes one temperature of a home's sensor readings.

Takes  {"hub", "hvac", "set_point": {"celsius", "band"}, "readings": [{"sensor", "at", "temperature", "unit"}]}.
Gives  {"usable": true, "hub", "hvac", "set_point", "celsius", "sensors": {name: celsius}, "readings": n}
or     {"usable": false, "problem": text} with everything that is wrong with the message.

What is wrong with a message is an answer, not an exception: trying again would not help, and the
machine can say it as the run's cause.
"""

import math
import statistics
from datetime import datetime

MAX_READINGS = 10_000
MAX_PROBLEMS = 10
# What a home's sensor can see; past it the sensor is broken.
LEAST_CELSIUS, MOST_CELSIUS = -40.0, 85.0
# How much of the smoothed value the newest reading is.
NEWEST = 0.5

TO_CELSIUS = {
    "C": lambda t: t,
    "F": lambda t: (t - 32) * 5 / 9,
    "K": lambda t: t - 273.15,
}


def handler(event, context):
    problems = []
    message(event, problems)
    readings = [] if problems else [
        r for i, reading in enumerate(event["readings"]) if (r := read(f"readings[{i}]", reading, problems))
    ]
    if problems:
        more = len(problems) - MAX_PROBLEMS
        shown = problems[:MAX_PROBLEMS] + ([f"and {more} more"] if more > 0 else [])
        return {"usable": False, "problem": "; ".join(shown)}
    sensors = smooth(readings)
    return {
        "usable": True,
        "hub": event["hub"],
        "hvac": event["hvac"],
        "set_point": event["set_point"],
        # The median, so that one sensor in the sun does not cool the house.
        "celsius": round(statistics.median(sensors.values()), 2),
        "sensors": {name: round(celsius, 2) for name, celsius in sensors.items()},
        "readings": len(readings),
    }


def message(event, problems):
    """Add to problems what is wrong with the message around the readings."""
    if not isinstance(event, dict):
        problems.append("the input is not an object: give hub, hvac, set_point and readings")
        return
    if not isinstance(event.get("hub"), str) or not event["hub"]:
        problems.append("hub: give the hub's name")
    if event.get("hvac") not in ("off", "heat", "cool"):
        problems.append('hvac: give what runs now: "off", "heat" or "cool"')
    set_point = event.get("set_point")
    if not isinstance(set_point, dict):
        problems.append("set_point: give celsius and band")
    else:
        if not is_number(set_point.get("celsius")) or not 5 <= set_point["celsius"] <= 35:
            problems.append("set_point.celsius: give a number from 5 to 35")
        if not is_number(set_point.get("band")) or not 0 < set_point["band"] <= 5:
            problems.append("set_point.band: give a number above 0, at most 5")
    readings = event.get("readings")
    if not isinstance(readings, list) or not readings:
        problems.append("readings: give at least one")
    elif len(readings) > MAX_READINGS:
        problems.append(f"readings: {len(readings)} are too many: give at most {MAX_READINGS}")


def read(where, reading, problems):
    """Return (sensor, time, celsius), or None after adding to problems."""
    before = len(problems)
    if not isinstance(reading, dict):
        problems.append(f"{where}: give sensor, at, temperature and unit")
        return None
    sensor, unit, temperature = reading.get("sensor"), reading.get("unit"), reading.get("temperature")
    if not isinstance(sensor, str) or not sensor:
        problems.append(f"{where}.sensor: give the sensor's name")
    at = instant(reading.get("at"))
    if at is None:
        problems.append(f"{where}.at: {reading.get('at')!r} is not a time like 2026-01-12T07:00:00Z")
    celsius = None
    if not isinstance(unit, str) or unit not in TO_CELSIUS:
        problems.append(f"{where}.unit: {unit!r} is not one of {', '.join(TO_CELSIUS)}")
    elif not is_number(temperature):
        problems.append(f"{where}.temperature: {temperature!r} is not a number")
    else:
        celsius = TO_CELSIUS[unit](temperature)
        if not LEAST_CELSIUS <= celsius <= MOST_CELSIUS:
            problems.append(
                f"{where}.temperature: {temperature} {unit} of sensor {sensor!r} is outside "
                f"{LEAST_CELSIUS:g} to {MOST_CELSIUS:g} C: check the sensor"
            )
    return (sensor, at, celsius) if len(problems) == before else None


def is_number(v):
    return isinstance(v, (int, float)) and not isinstance(v, bool) and math.isfinite(v)


def instant(v):
    """Return the seconds of an RFC 3339 time with a zone, else None."""
    if not isinstance(v, str):
        return None
    try:
        at = datetime.fromisoformat(v.replace("Z", "+00:00"))
        return at.timestamp() if at.tzinfo else None
    except (ValueError, OverflowError):
        return None


def smooth(readings):
    """Return each sensor's exponentially smoothed temperature, sensors by name."""
    sensors = {}
    for sensor, _, celsius in sorted(readings, key=lambda r: (r[0], r[1])):
        last = sensors.get(sensor, celsius)
        sensors[sensor] = last + NEWEST * (celsius - last)
    return sensors
