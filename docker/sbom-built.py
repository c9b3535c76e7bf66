"""Removes what is in no program from a bill of materials (CycloneDX, standard input), and prints the rest.

    sbom-built.py SUITE PROGRAM <list >list

SUITE and PROGRAM are files with lines of `cargo tree`, `name v1.2.3`: the packages compiled when all programs are built
together, and the minimum for this one. The list comes from `cargo metadata`, which includes optional dependencies that
no feature enables.
"""

import json
import sys
from pathlib import Path


def packages(file):
    lines = (line.split() for line in Path(file).read_text().splitlines())
    return {(words[0], words[1].removeprefix("v")) for words in lines if words}


def main(suite, program):
    bill = json.load(sys.stdin)
    own = bill["metadata"]["component"]
    compiled = packages(suite)
    built = [one for one in bill["components"] if (one["name"], one["version"]) in compiled]
    missing = packages(program) - {(one["name"], one["version"]) for one in [own, *built]}
    if missing:
        sys.exit(f"the list of {own['name']} lacks {sorted(missing)}")
    listed = {one["bom-ref"] for one in [own, *built]}
    bill["components"] = built
    bill["dependencies"] = [
        one | ({"dependsOn": [ref for ref in one["dependsOn"] if ref in listed]} if "dependsOn" in one else {})
        for one in bill["dependencies"]
        if one["ref"] in listed
    ]
    json.dump(bill, sys.stdout, indent=2)
    print()


main(*sys.argv[1:])
