"""What a value changes, in which objects, and that it changes nothing else.

Two renderings are golden files: the default and `everything`. Every other value set is compared with the default, and
each of its differences belongs to one behaviour of behaviours.py. Objects that the default does not have are compared
with those of `everything`, or with those of a service that it has.
"""

import json
from functools import cache

import pytest
from behaviours import BEHAVIOURS
from changes import ADDED, GONE, changes, named
from expected import PREFIX
from rendered import GOLDEN, VALUE_SETS, files, objects, parse, template, text

CASES = [
    pytest.param(value_set, expected, id=f"{value_set}: {behaviour}")
    for value_set, behaviours in BEHAVIOURS.items()
    for behaviour, expected in behaviours.items()
]
COMMON_LABEL = "metadata.labels.example.com/owner"


@cache
def of(value_set):
    """The objects of a value set, under the default's names."""
    return named(parse(template(*files(value_set), "--set", "fullnameOverride=")), PREFIX)


def found(value_set):
    return changes(of("default"), of(value_set))


@pytest.mark.parametrize(("value_set", "expected"), CASES)
def test_a_value_changes_what_it_is_for(value_set, expected):
    changed = found(value_set)
    assert {key: changed.get(key, "unchanged") for key in expected} == expected


@pytest.mark.parametrize("value_set", BEHAVIOURS)
def test_a_value_set_changes_nothing_else(value_set):
    expected = {key for behaviour in BEHAVIOURS[value_set].values() for key in behaviour}
    assert sorted(found(value_set).keys() ^ expected) == []


def test_every_value_set_is_golden_or_compared_with_a_golden_one():
    assert sorted([*GOLDEN, *BEHAVIOURS]) == sorted(VALUE_SETS)


def test_another_full_name_replaces_the_prefix_of_names_and_nothing_else():
    prefixed = template(*files("folders"), "--set", "fullnameOverride=")
    assert text("folders") == prefixed.replace(PREFIX, "activity")


@pytest.mark.parametrize("value_set", ["ha", "observability"])
def test_an_object_that_is_switched_on_is_the_golden_one(value_set):
    golden, rendered = of("everything"), of(value_set)
    names = {name for (name, path), value in found(value_set).items() if (path, value) == ("", ADDED)}
    assert names
    expected = {(name, COMMON_LABEL): GONE for name in names}
    if value_set == "ha":
        # Only `observability` names a folder for them.
        expected |= {(name, "metadata.annotations"): GONE for name in names if name.endswith("-dashboard")}
    assert changes({name: golden[name] for name in names}, {name: rendered[name] for name in names}) == expected


# The differences between the service of events and the service of CRM exports.
WITHOUT_CRM = {
    ("Deployment", f"container.env.{name}"): GONE
    for name in ("CRM_ARCHIVE_URL", "CRM_EFFECTIVE_OFFSET_DAYS", "CRM_MAX_SHRINK_SHARE", "CRM_URL")
}
EVENTS = {
    "events": {
        ("Deployment", "container.env.EVENTS_URL"): "az://events/daily/",
        ("Deployment", "container.env.EVENTS_MAX_FILE_BYTES"): "1073741824",
        ("Deployment", "spec.replicas"): 2,
    },
    "folders": {("Deployment", "container.env.EVENTS_URL"): "file:///var/lib/company-activity/events/"},
}


@pytest.mark.parametrize(("value_set", "expected"), EVENTS.items())
def test_the_service_of_events_is_deployed_as_the_one_of_crm_exports(value_set, expected):
    rendered = of(value_set)
    crm = {name.split("/")[0]: one for name, one in rendered.items() if name.endswith("/ingest-crm")}
    events = {name.split("/")[0]: one for name, one in rendered.items() if name.endswith("/ingest-events")}
    renamed = json.loads(json.dumps(crm).replace("ingest-crm", "ingest-events"))
    assert changes(renamed, events) == WITHOUT_CRM | expected
