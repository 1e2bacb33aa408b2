"""Reading VGG Image Annotator's JSON: rectangles on videos or pictures (version 3), or on pictures (version 2).

Version 3 (a project) has `metadata` with `xy`, which is `[2, x, y, width, height]` in pixels, `z`, which is `[seconds]` for a
video, and `av`, the values of the attributes. Version 2 (a project or exported annotations) has `regions` with
`shape_attributes` of a `rect`. Neither holds the picture's size, which `--size` gives, nor persons' identities, which
`--person-from` can take from an attribute.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from lfb_lightning.converters.actions import Attributes, actions_of, person_in
from lfb_lightning.converters.annotated_box import AnnotatedBox, Notes
from lfb_lightning.converters.geometry import Corners, fractions_of
from lfb_lightning.converters.json_entries import Entry, entry_of
from lfb_lightning.converters.options import FRAME_NAME_HINT, Options, video_id_of
from lfb_lightning.errors import InputError
from lfb_lightning.files.json_file import read_json

_RECTANGLE = 2
_CHECKBOX = "2"
_TEXT = "1"
_VIDEO = "4"


def read_via(path: Path, options: Options, notes: Notes) -> Iterator[AnnotatedBox]:
    """Yield the rectangles of a file on whole seconds.

    Args:
        path: The JSON file.
        options: How it is read; the picture's size is needed.
        notes: Collects what the user is told afterwards.

    Raises:
        InputError: The file is not VIA's JSON, or something that is needed is missing.
    """
    content = entry_of(read_json(path, what="annotations"), str(path), "a project of VIA")
    if "metadata" in content:
        yield from _version_3(content, path, options, notes)
        return
    images = content.entry("_via_img_metadata") if "_via_img_metadata" in content else content
    for key, value in images.content.items():
        image = entry_of(
            value, f"{path}, {key[:100]}", "a picture with 'filename' and 'regions', or a project with 'metadata'"
        )
        yield from _version_2(image, path, options, notes)


def _version_3(content: Entry, path: Path, options: Options, notes: Notes) -> Iterator[AnnotatedBox]:
    files, attributes, views = content.entry("file"), content.entry("attribute"), content.content.get("view")
    videos = [key for key in files.content if files.entry(key).content.get("type") == int(_VIDEO)]
    if options.video is not None and len(videos) > 1:
        raise InputError(f"--video {options.video}: {path} has {len(videos)} videos; leave --video out.")
    for key in content.entry("metadata").content:
        region = content.entry("metadata").entry(key)
        shape = region.value("xy")
        if shape == []:
            notes.count("marks of a whole file or a stretch of time, without a box, left out")
        elif not isinstance(shape, list) or shape[0] != _RECTANGLE:
            notes.count("shapes that are no rectangles, left out")
        else:
            file = files.entry(_file_of(region, views, content))
            video_id, second = _moment_of_file(file, region, options)
            if second is not None:
                x, y, width, height = region.numbers("xy", 5)[1:]
                box = _fractions((x, y, x + width, y + height), region, options)
                yield _annotated(video_id, second, box, _values(region, attributes), region, path, options, notes)


def _file_of(region: Entry, views: Any, content: Entry) -> str:
    view = region.text("vid")
    if not isinstance(views, dict) or view not in views:
        return view  # files written by scripts have no list of views: the view's number is the file's
    listed = entry_of(views[view], f"{content.where}, view {view}").value("fid_list")
    if not isinstance(listed, list) or len(listed) != 1:
        raise InputError(f"{content.where}, view {view}: 'fid_list' holds several files, expected one.")
    return str(listed[0])


def _moment_of_file(file: Entry, region: Entry, options: Options) -> tuple[str, int | None]:
    name = file.text("fname")
    if file.text("type") != _VIDEO:
        return _moment_of_picture(name, file.where, options)
    (time,) = region.numbers("z", 1)
    return options.video or video_id_of(name, file.where), options.clock.second_of_time(time, region.where)


def _moment_of_picture(name: str, where: str, options: Options) -> tuple[str, int | None]:
    if options.frame_name is None:
        raise InputError(f"{where}: no frame number: {name[:100]!r} is a picture and no video; {FRAME_NAME_HINT}.")
    frame, named = options.frame_in_name(name, where)
    if options.video is None and named is None:
        raise InputError(f"{where}: no video: --frame-name has no group (?P<video>...), and there is no --video.")
    return options.video or video_id_of(str(named), where), options.clock.second_of_frame(frame, where)


def _values(region: Entry, attributes: Entry) -> Attributes:
    """Return the name and value of each attribute; a chosen option is given by its text."""
    found: list[tuple[str, str]] = []
    for key, value in (region.entry("av").content if "av" in region else {}).items():
        attribute = attributes.entry(key)
        name = attribute.text("aname")
        if attribute.text("type") == _TEXT:
            found.append((name, str(value)))
            continue
        options = attribute.entry("options")
        chosen = str(value).split(",") if attribute.text("type") == _CHECKBOX else [str(value)]
        found += [(name, options.text(option) if option else "") for option in map(str.strip, chosen)]
    return found


def _version_2(image: Entry, path: Path, options: Options, notes: Notes) -> Iterator[AnnotatedBox]:
    regions = image.value("regions")
    if isinstance(regions, dict):  # of version 1
        regions = list(regions.values())
    for region in Entry({"regions": regions}, image.where).entries("regions"):
        shape = region.entry("shape_attributes")
        if shape.content.get("name") != "rect":
            notes.count("shapes that are no rectangles, left out")
            continue
        video_id, second = _moment_of_picture(image.text("filename"), image.where, options)
        if second is not None:
            x, y = shape.number("x"), shape.number("y")
            box = (x, y, x + shape.number("width"), y + shape.number("height"))
            values = _values_of_version_2(region.entry("region_attributes"))
            yield _annotated(video_id, second, _fractions(box, region, options), values, region, path, options, notes)


def _values_of_version_2(attributes: Entry) -> Attributes:
    """Return the name and value of each attribute; a checkbox attribute is an object with the checked options."""
    found: list[tuple[str, str]] = []
    for name, value in attributes.content.items():
        if isinstance(value, dict):
            found += [(name, option) for option, is_checked in value.items() if is_checked] or [(name, "")]
        else:
            found.append((name, str(value)))
    return found


def _fractions(box: Corners, region: Entry, options: Options) -> Corners:
    if options.size is None:
        raise InputError(f"{region.where}: VIA stores pixels and no picture size; give it with --size WIDTHxHEIGHT.")
    return fractions_of(box, options.size, region.where)


def _annotated(
    video_id: str,
    second: int,
    box: Corners,
    values: Attributes,
    region: Entry,
    path: Path,
    options: Options,
    notes: Notes,
) -> AnnotatedBox:
    person = options.person_from
    acting = [(name, value) for name, value in values if name != person]
    actions = actions_of([], acting, action_from=options.action_from, where=region.where, notes=notes)
    return AnnotatedBox(video_id, second, box, actions, person_in(dict(values), person) if person else None, str(path))
