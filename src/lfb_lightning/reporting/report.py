"""Writing the report of runs and results: one HTML file."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from lfb_lightning.errors import InputError
from lfb_lightning.metrics.frame_ap import Protocol
from lfb_lightning.reporting.cards import Cards
from lfb_lightning.reporting.comparison import compare_subjects
from lfb_lightning.reporting.contents import contents
from lfb_lightning.reporting.evaluation import Evaluator
from lfb_lightning.reporting.run_folder import find_runs, read_run
from lfb_lightning.reporting.subjects import Subject, subject_of_results, subject_of_run
from lfb_lightning.viz.page.document import embedded_json, shared_part, template_part, write_document

PICTURES = 10  # key frames per list
_SCRIPTS = (
    "summary.js",
    "chart.js",
    "curves.js",
    "classes.js",
    "frames.js",
    "settings.js",
    "main.js",
)


def write_report(
    path: str | Path,
    *,
    runs: Sequence[str | Path] = (),
    results: Sequence[str | Path] = (),
    sources: Mapping[str, Any] | None = None,
    protocol: Protocol = "official",
    pictures: int = PICTURES,
    resamples: int = 1000,
    seed: int = 0,
    progress: Callable[[str], None] = lambda text: None,
) -> None:
    """Write a report as one HTML file that needs no server and no network.

    Args:
        path: The file to write; its folder must exist.
        runs: Folders that `lfb-train` or `lfb-test` wrote, or of a sweep. The first is what the others are held against.
        results: Result files of any tool, in AVA's csv form.
        sources: Where ground truth, label map and videos are, by the names of `Sources`; of runs, where not as configured.
        protocol: Which published version of the official tool is followed; see `metrics.evaluate`.
        pictures: How many key frames a list has, such as that of the best ones.
        resamples: How many draws of the videos are made for the interval of a difference.
        seed: Seed of the draws.
        progress: Called with a line for each step.

    Raises:
        InputError: There is nothing to report, a folder is no run, or a file is missing or cannot be read.
    """
    evaluator, typed = Evaluator(protocol), dict(sources or {})
    subjects: list[Subject] = []
    for name, folder in (found for run in runs for found in find_runs(Path(run))):
        progress(f"reading {folder}")
        subjects.append(subject_of_run(read_run(name, folder), typed, evaluator))
    for result in map(Path, results):
        progress(f"reading {result}")
        subjects.append(subject_of_results(result, typed, evaluator))
    if not subjects:
        raise InputError("there is nothing to report: say run=FOLDER, or results=CSV truth=CSV labels=PBTXT.")
    compared = []
    for other in subjects[1:]:
        progress(f"comparing {other.name} with {subjects[0].name}")
        compared.append(compare_subjects(subjects[0], other, len(evaluator.videos), resamples=resamples, seed=seed))
    title = " · ".join(subject.name for subject in subjects[:4]) + (" …" if len(subjects) > 4 else "")
    progress("choosing key frames")
    data = contents(title, subjects, compared, Cards(evaluator, pictures))
    write_document(
        Path(path),
        title=title,
        template=_part("report.html"),
        styles=[shared_part("look.css"), _part("report.css")],
        scripts=[shared_part("elements.js"), *map(_part, _SCRIPTS)],
        data=embedded_json(data),
    )


def _part(name: str) -> str:
    return template_part("lfb_lightning.reporting", "template", name)
