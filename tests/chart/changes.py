"""The differences between two renderings, as short paths with their new values.

    Deployment/notifier container.env.NOTIFY_TIMEOUT: 5s

Objects are named by kind and by name without the release's prefix. `pod` is the pod template, wherever the kind keeps
it, and `container` its only container. Items of a list go by their `name`; those without one are ADDED or REMOVED.
"""

from collections.abc import Iterator

from rendered import Objects

GONE = "gone"
ADDED, REMOVED = "added", "removed"
POD_PATHS = {
    "Deployment": ("spec", "template"),
    "Job": ("spec", "template"),
    "CronJob": ("spec", "jobTemplate", "spec", "template"),
    "Pod": (),
}


def named(rendered: Objects, prefix: str) -> dict[str, dict]:
    """The objects by kind and name."""
    found = {}
    for one in rendered.all:
        name = one["metadata"]["name"].removeprefix(prefix).removeprefix("-")
        found[f"{one['kind']}/{name}"] = one
    return found


def changes(old: dict[str, dict], new: dict[str, dict]) -> dict[tuple[str, str], object]:
    """The differences by object and path. A missing or additional object has the path `""`."""
    found = {(name, ""): GONE for name in old.keys() - new.keys()}
    found |= {(name, ""): ADDED for name in new.keys() - old.keys()}
    for name in old.keys() & new.keys():
        found |= {(name, path): value for path, value in changed(old[name], new[name])}
    return found


def changed(old: dict, new: dict) -> Iterator[tuple[str, object]]:
    """The differences between two objects of the same kind, by path."""
    for path, value in differences(old, new):
        yield shortened(new["kind"], path), value


def shortened(kind: str, path: tuple[str, ...]) -> str:
    if kind in POD_PATHS and path[: len(POD_PATHS[kind])] == POD_PATHS[kind]:
        path = ("pod", *path[len(POD_PATHS[kind]) :])
        if path[:3] == ("pod", "spec", "containers"):
            path = ("container", *path[4:])
    return ".".join(path)


def differences(old: object, new: object, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], object]]:
    if old == new:
        return
    if is_named(old) and is_named(new):
        # Items that both have must keep their order.
        assert [one["name"] for one in old if one["name"] in names(new)] == [
            one["name"] for one in new if one["name"] in names(old)
        ], path
        old, new = names(old), names(new)
    if isinstance(old, dict) and isinstance(new, dict):
        for key in old.keys() | new.keys():
            yield from differences(old.get(key, GONE), new.get(key, GONE), (*path, key))
    elif isinstance(old, list) and isinstance(new, list):
        yield path, {ADDED: [one for one in new if one not in old], REMOVED: [one for one in old if one not in new]}
    else:
        yield path, bare(new)


def is_named(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(one, dict) and "name" in one for one in value)


def names(items: list[dict]) -> dict[str, object]:
    found = {one["name"]: bare({key: value for key, value in one.items() if key != "name"}) for one in items}
    assert len(found) == len(items), f"a name occurs twice: {[one['name'] for one in items]}"
    return found


def bare(value: object) -> object:
    """Shortens `{"value": x}` of a variable to x."""
    return value["value"] if isinstance(value, dict) and value.keys() == {"value"} else value
