"""What a rendering has otherwise than another one, as short paths with their new values.

    Deployment/notifier container.env.NOTIFY_TIMEOUT: 5s

An object is named by its kind and its name without the release's prefix. `container` is a pod's only container and
`pod` its pod, wherever the kind keeps it. An item of a list goes by its `name`; items without one are ADDED or REMOVED.
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
    return {f"{one['kind']}/{one['metadata']['name'].removeprefix(prefix).removeprefix('-')}": one for one in rendered.all}


def changes(old: dict[str, dict], new: dict[str, dict]) -> dict[tuple[str, str], object]:
    """By object and path. An object that only one of them has is at the path `""`."""
    found = {(name, ""): GONE for name in old.keys() - new.keys()}
    found |= {(name, ""): ADDED for name in new.keys() - old.keys()}
    for name in old.keys() & new.keys():
        found |= {(name, path): value for path, value in changed(old[name], new[name])}
    return found


def changed(old: dict, new: dict) -> Iterator[tuple[str, object]]:
    """What differs between two objects of a kind, by path."""
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
        # The order counts for those that both have.
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
    return {one["name"]: bare({key: value for key, value in one.items() if key != "name"}) for one in items}


def bare(value: object) -> object:
    """`{"value": x}` is x, as a variable has it."""
    return value["value"] if isinstance(value, dict) and value.keys() == {"value"} else value
