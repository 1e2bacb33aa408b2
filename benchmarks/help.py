"""How long `--help` and imports take: `python -m benchmarks.help [repetitions]`. Each is a process of its own; the median counts."""

import os
import statistics
import subprocess
import sys
import time

from lfb_lightning.cli.help.commands import all_commands

WANTED_HELP, WANTED_IMPORT = 1.0, 0.2
ENTRY = "import sys; sys.argv[0] = 'lfb'; from lfb_lightning.cli.entry import main; main()"


def seconds(code: str, arguments: list[str], repetitions: int) -> float:
    taken = []
    for _ in range(repetitions):
        started = time.perf_counter()
        subprocess.run([sys.executable, "-c", code, *arguments], check=True, stdout=subprocess.DEVNULL)
        taken.append(time.perf_counter() - started)
    return statistics.median(taken)


def main() -> None:
    repetitions = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    lines = [["--help"], *([command.name, "--help"] for command in all_commands()), ["bank", "verify", "--help"]]
    lines += [["--version"], ["completion", "words", "lfb train trainer.max"]]
    rows = [(f"lfb {' '.join(line)}", WANTED_HELP, seconds(ENTRY, line, repetitions)) for line in lines]
    rows.append(("import lfb_lightning", WANTED_IMPORT, seconds("import lfb_lightning", [], repetitions)))
    rows.append(("import lfb_lightning.bank", None, seconds("import lfb_lightning.bank", [], repetitions)))
    rows.append(("import torch, of which that consists", None, seconds("import torch", [], repetitions)))
    print(f"median of {repetitions}, load of the machine {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    print("| seconds | wanted | reached |\n|---|---|---|")
    for name, wanted, reached in rows:
        print(f"| `{name}` | {'' if wanted is None else f'< {wanted}'} | {reached:.2f} |")


if __name__ == "__main__":
    main()
