"""``python -m benchmarks NAME [NAME ...] [--json] [--quick] [--only PART] [--markdown FILE]``: a benchmark a file."""

from __future__ import annotations

import argparse
import json
import os
import sys
from difflib import get_close_matches
from importlib import import_module
from pathlib import Path

FOLDER = Path(__file__).parent
NAMES = sorted(path.stem for path in FOLDER.glob("*.py") if not path.stem.startswith("_"))
SHARED = (
    "The load average is that at the start; where other jobs ran beside, wall-clock figures are upper bounds, and CPU time "
    "grew too."
)


def main() -> int:
    # One thread: spinning OpenMP threads distort timings on a shared machine.
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    listed = ", ".join(NAMES)
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=f"Benchmarks: {listed}.")
    parser.add_argument("names", nargs="+", metavar="NAME")
    parser.add_argument("--json", action="store_true", help="print the lines as JSON")
    parser.add_argument("--quick", action="store_true", help="small sizes: a check that it runs")
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="write the tables to a Markdown file")
    parser.add_argument(
        "--only",
        action="append",
        metavar="PART",
        help="redo one part (of scoreboard: a data set); repeatable",
    )
    options = parser.parse_args()
    options.names = [name.replace("-", "_") for name in options.names]
    for name in options.names:
        if name not in NAMES:
            near = get_close_matches(name, NAMES, n=1)
            hint = f"did you mean {near[0]}? " if near else ""
            print(f"there is no benchmark {name!r}; {hint}known: {listed}", file=sys.stderr)
            return 2
    from benchmarks._machine import machine
    from benchmarks._table import markdown, table

    modules = {name: import_module(f"benchmarks.{name}") for name in options.names}
    where = machine()
    for name, module in modules.items():
        unknown = sorted(set(options.only or ()) - set(getattr(module, "PARTS", ())))
        if unknown:
            known = ", ".join(getattr(module, "PARTS", ())) or "none: it has no parts"
            print(f"{name} has no part {', '.join(unknown)}; known: {known}", file=sys.stderr)
            return 2
    lines = {
        name: module.run(options.quick, options.only) if options.only else module.run(options.quick)
        for name, module in modules.items()
    }
    if options.markdown:
        titles = {name: (modules[name].__doc__ or name).splitlines()[0] for name in lines}
        options.markdown.write_text(markdown(lines, titles, where, SHARED, sys.argv[1:]), encoding="utf-8")
    if options.json:
        flat = [line.as_json() for found in lines.values() for line in found]
        print(json.dumps(flat, ensure_ascii=False, indent=2, allow_nan=False))
    else:
        table(lines, where)
    return 0


if __name__ == "__main__":
    sys.exit(main())
