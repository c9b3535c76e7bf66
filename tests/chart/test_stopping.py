"""The suite is stopped by values, so that the next upgrade finds no changes made outside Helm."""

import pytest
from rendered import VALUE_SETS, files, includes, objects, parse, template

EVERY_SET = pytest.mark.parametrize("value_set", VALUE_SETS)
STOPPED = "serviceDefaults.replicas=0,trigger.suspend=true,maintenance.suspend=true,reconciliation.suspend=true"


def stopped(value_set):
    # The only service with its own replicas in any value set.
    own = ",services.ingest-events.replicas=0" if includes(value_set, "events") else ""
    return parse(template(*files(value_set), "--set", STOPPED + own))


@EVERY_SET
def test_a_stopped_suite_has_no_pod_and_starts_none(value_set):
    rendered = stopped(value_set)
    assert {one["spec"]["replicas"] for one in rendered.of("Deployment").values()} == {0}
    assert all(one["spec"]["suspend"] for one in rendered.of("CronJob").values())
    assert not rendered.of("HorizontalPodAutoscaler") and not rendered.of("PodDisruptionBudget")


@EVERY_SET
def test_stopping_changes_nothing_else(value_set):
    """So that the values without it start the same suite again."""
    running, standing = objects(value_set), stopped(value_set)
    gone = {"HorizontalPodAutoscaler", "PodDisruptionBudget"}
    assert [one for one in standing.all if one["kind"] in gone] == []
    before = {identity(one): settled(one) for one in running.all if one["kind"] not in gone}
    assert before == {identity(one): settled(one) for one in standing.all}


def identity(one):
    return one["kind"], one["metadata"]["name"]


def settled(one):
    spec = one.get("spec", {})
    return one | {"spec": {key: value for key, value in spec.items() if key not in ("replicas", "suspend")}}


def test_one_service_may_be_stopped_and_the_others_keep_their_budgets():
    rendered = parse(template(*files("ha"), "--set", "services.activity.replicas=0"))
    deployments = rendered.services()
    assert deployments["activity"]["spec"]["replicas"] == 0, "also if it is autoscaled"
    assert not rendered.of("HorizontalPodAutoscaler")
    budgets = rendered.of("PodDisruptionBudget").values()
    guarded = {one["metadata"]["labels"]["app.kubernetes.io/component"] for one in budgets}
    assert guarded == set(deployments) - {"activity"}
