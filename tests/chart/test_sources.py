"""Settings of sources reach the services that read them, and no others."""

import yaml
from rendered import containers, objects, parse, template

SETTINGS = {
    "crm": {
        "columns": 'company_id="Record ID",name="Account \\"full\\" Name"',
        "columnsPreset": "hubspot",
        "encoding": "windows-1250",
        "datePattern": r"(?<day>\d\d)\.(?<month>\d\d)\.(?<year>\d{4})",
    },
    "productApi": {"fields": "company_id=account.id"},
    "pipeline": {"historyStart": "2026-01-01"},
}
TOLD = {
    "coordinator": {"HISTORY_START": "2026-01-01"},
    "ingest-crm": {
        "CRM_COLUMNS": SETTINGS["crm"]["columns"],
        "CRM_COLUMNS_PRESET": "hubspot",
        "CRM_ENCODING": "windows-1250",
        "CRM_DATE_PATTERN": SETTINGS["crm"]["datePattern"],
    },
    "ingest-api": {"PRODUCT_API_FIELDS": "company_id=account.id", "HISTORY_START": "2026-01-01"},
}


def reported(rendered):
    names = {name for settings in TOLD.values() for name in settings}
    found = {
        component: {one["name"]: one["value"] for one in containers(pod)[0]["env"] if one["name"] in names}
        for component, pod in rendered.pods().items()
    }
    return {component: settings for component, settings in found.items() if settings}


def test_settings_of_sources_reach_the_services_that_read_them(tmp_path):
    values = tmp_path / "values.yaml"
    values.write_text(yaml.safe_dump(SETTINGS))
    assert reported(parse(template("--values", str(values)))) == TOLD


def test_a_day_needs_no_quotes(tmp_path):
    values = tmp_path / "values.yaml"
    values.write_text("pipeline: { historyStart: 2026-01-01 }\n")
    assert reported(parse(template("--values", str(values))))["coordinator"] == TOLD["coordinator"]


def test_what_is_not_set_is_not_passed_on():
    """So that older programs, which do not know the variable, still start."""
    assert reported(objects("default")) == {}
