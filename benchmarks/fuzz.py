"""Mutated files against every reader: `python -m benchmarks.fuzz` prints the table of `benchmarks/README.md`.

Each file is one of a few right ones, changed through its form or byte by byte (tests/fuzzing), as its number says: the same
number gives the same file. It must be read, or refused with one line that names it, within 20 s and 2 GB, and nothing may be
written elsewhere; every eighth is changed in a way that means nothing, and must be read as before.
"""

import argparse
import sys
import tempfile
from pathlib import Path

from tests.fuzzing.run import READERS, case, numbers_of, run

HEAD = "| reader | files | read | refused | tracebacks | slowest, s | peak memory, MB |\n|---|---|---|---|---|---|---|"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--reader", action="append", choices=sorted(READERS), help="only this one; can be repeated")
    parser.add_argument("--count", type=int, default=2000, help="files per reader (default 2000)")
    parser.add_argument("--seed", type=int, help="only the file of this number, which is kept to be looked at")
    chosen = parser.parse_args()
    print(HEAD)
    failures = []
    for name in chosen.reader or READERS:
        reader = READERS[name]
        tally = run(reader, numbers_of(reader, chosen.count) if chosen.seed is None else [chosen.seed])
        states = " | ".join(str(number) for number in tally.states.values())
        print(f"| {name} | {tally.files} | {states} | {tally.slowest:.2f} | {tally.megabytes:.0f} |", flush=True)
        failures += [(name, failure) for failure in tally.failures]
        if chosen.seed is not None:
            folder = Path(tempfile.mkdtemp(prefix="fuzz_"))
            for file, content in case(reader.seeds(), name, chosen.seed)[1].items():
                (folder / file).write_bytes(content)
            print(f"its files: {folder}")
    for name, failure in failures[:20]:
        print(f"\npython -m benchmarks.fuzz --reader {name!r} --seed {failure.number}\n{failure.said}")
    sys.exit(bool(failures))


if __name__ == "__main__":
    main()
