"""`python -m bench [NAME]`: measure everything, or one module, and say how it compares.

Ends with 1 when a target is missed; the last line is one JSON object.
"""

from __future__ import annotations

import sys
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from bench.figures import as_json, table

if TYPE_CHECKING:
    from bench.figures import Figure

_MACHINERY = {"__init__", "__main__", "figures"}


def main(chosen: list[str]) -> int:
    known = sorted({path.stem for path in Path(__file__).parent.glob("*.py")} - _MACHINERY)
    strange = sorted(set(chosen) - set(known))
    if strange:
        print(f"There is no {strange[0]!r} to measure; there is {', '.join(known)}")
        return 2
    figures: list[Figure] = []
    for name in chosen or known:
        figures += import_module(f"bench.{name}").measure()
    print(table(figures))
    print(as_json(figures))
    return 0 if all(figure.met for figure in figures) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
