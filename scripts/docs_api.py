"""The pages of the API reference: one for each package, with every name that its `__all__` offers.

The sources are read and not imported: a build needs neither torch nor what comes with it.
"""

from __future__ import annotations

import ast
from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[1] / "src" / "lfb_lightning"
PACKAGES = (  # in the order of the site
    *("bank", "models", "models.backbones", "models.fbo", "models.imports", "prediction", "live", "persons", "video"),
    *("clips", "datasets", "metrics", "ava", "converters", "mini_ava", "exporting", "reporting", "viz", "viz.page"),
    *("lightning", "doctor"),
)
# What is imported from its module, since importing the package has to stay cheap.
BESIDE = {
    "ava": (
        *("label_map.LabelMap", "label_map.read_label_map", "label_map.write_label_map", "action_groups.ava_groups"),
        *("annotations.Annotations", "annotations.read_annotations", "annotations.write_annotations"),
        *("proposals.ProposalTable", "proposals.read_proposals", "excluded.read_excluded", "results.write_results"),
        *("evaluation_csv.EvaluationTable", "evaluation_csv.read_evaluation_csv"),
    ),
    "converters": (
        *("annotated_box.AnnotatedBox", "annotated_box.Notes", "options.Options", "cvat.read_cvat", "coco.read_coco"),
        *("label_studio.read_label_studio", "via.read_via", "actions_csv.read_actions_csv"),
        *("tables.tables_of", "tables.write_tables"),
    ),
    "exporting": ("exporting.export_detector", "onnx_detector.OnnxDetector"),
    "metrics": ("evaluator.Evaluator", "evaluator.Curves"),
    "prediction": ("explaining.save_explanation",),
}
SHARED = ("structures", "clock", "boxes", "ranges", "errors")


def offered(package: str) -> list[str]:
    """Return the names in the `__all__` of a package (`bank`, or an empty string for `lfb_lightning` itself)."""
    for node in _tree(package).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__":
            return list(ast.literal_eval(node.value))
    return []


def packages_that_offer() -> set[str]:
    """Return every package below `lfb_lightning` with an `__all__` that is not empty, as `bank` or `models.imports`."""
    folders = (path.parent.relative_to(PACKAGE) for path in PACKAGE.rglob("__init__.py"))
    return {name for name in (".".join(folder.parts) for folder in folders) if name and offered(name)}


def packages() -> list[str]:
    """Return the packages that have a page, in the order of the site; one that is not listed above comes last."""
    return [*PACKAGES, *sorted(packages_that_offer() - set(PACKAGES))]


def api_pages() -> dict[str, str]:
    """Return the pages: file name to Markdown."""
    return {
        "index.md": _overview(),
        **{f"{package}.md": _page(package) for package in packages()},
        "shared.md": "# Shared by all packages\n\n" + "\n".join(f"::: lfb_lightning.{name}\n" for name in SHARED),
    }


def api_titles() -> dict[str, str]:
    """Return the title of each page in the navigation, by its file name."""
    return {"index.md": "Overview", **{f"{name}.md": name for name in packages()}, "shared.md": "Shared by all"}


def _page(package: str) -> str:
    name = f"lfb_lightning.{package}"
    about = f"::: {name}\n    options:\n      show_root_heading: false\n      members: false\n"
    blocks = [f"::: {name}.{one}\n" for one in [*offered(package), *BESIDE.get(package, ())]]
    return "\n".join([f"# `{name}`\n", about, *blocks])


def _overview() -> str:
    top = [name for name in offered("") if not name.startswith("_")]
    links = ", ".join(f"[`{name}`][lfb_lightning.{_home(name)}]" for name in top)
    rows = [f"| [`{package}`]({package}.md) | {_summary(package)} |" for package in packages()]
    return f"""# API reference

What may be imported: the names that the `__all__` of a package offers, and those that its page here adds from its modules.
Anything else may change from one release to the next.

`import lfb_lightning as lfb` has what most people need: {links}. Each is imported when it is first used.

| `lfb_lightning.` | what is in it |
|---|---|
{chr(10).join(rows)}
| [shared](shared.md) | The values that travel between the packages; clocks, boxes, ranges, errors. |
"""


def _summary(package: str) -> str:
    return (ast.get_docstring(_tree(package)) or "").partition("\n\n")[0].replace("\n", " ")


def _home(name: str) -> str:
    for node in ast.walk(_tree("")):
        if isinstance(node, ast.ImportFrom) and any(alias.name == name for alias in node.names):
            return f"{str(node.module).removeprefix('lfb_lightning.')}.{name}"
    raise LookupError(f"lfb_lightning offers {name}, and imports it from nowhere")


def _tree(package: str) -> ast.Module:
    return ast.parse((PACKAGE.joinpath(*package.split(".")) / "__init__.py").read_text())
