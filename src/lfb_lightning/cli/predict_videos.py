"""Which videos `lfb-predict` was asked for, and the folder of each one's results."""

from __future__ import annotations

from collections import Counter
from pathlib import Path, PureWindowsPath

from lfb_lightning.errors import InputError
from lfb_lightning.files.objects.store import ObjectStore
from lfb_lightning.files.objects.url import Place, Url, is_url, place_of, refuse_url
from lfb_lightning.video.library import ENDINGS


def find_videos(text: str | None) -> list[Place]:
    """List the videos that a file, a folder, a pattern or a URL names, in order of their names.

    Args:
        text: What the user typed for `video`.

    Raises:
        InputError: There are none.
    """
    if text is None:
        raise InputError("video is not set: give a video file, a folder of videos, or a pattern: video='clips/*.mp4'.")
    if is_url(text):
        return _at_url(place_of(text, "video"))
    path = typed_path(text, "video")
    if path.is_dir():
        found: list[Place] = [*sorted(filter(_is_video, path.iterdir()))]
        if not found:
            raise InputError(f"video {text}: the folder has no file with one of the endings {', '.join(ENDINGS)}.")
        return found
    if path.is_file():
        return [path]
    root = Path(path.anchor)
    try:
        found = [*sorted(filter(_is_video, root.glob(str(path.relative_to(root)))))]
    except ValueError as error:
        raise InputError(f"video {text}: no such file or folder, and no pattern ({error}).") from error
    if not found:
        raise InputError(f"video {text}: no such file or folder, and no video fits it as a pattern.")
    return found


def _at_url(url: Place) -> list[Place]:
    """Give the video of a URL, or those right below it; hidden objects, as a Mac leaves them, are left out."""
    assert isinstance(url, Url)
    if url.suffix.lower() in ENDINGS:
        return [url]
    names = sorted(ObjectStore(url.text, what="video").names())
    found: list[Place] = [url / name for name in names if "/" not in name and not name.startswith(".")]
    found = [video for video in found if video.suffix.lower() in ENDINGS]
    if not found:
        raise InputError(f"video {url}: no object there has one of the endings {', '.join(ENDINGS)}.")
    return found


def result_folders(videos: list[Place], out: str | None) -> dict[Place, Path]:
    """Choose the folder of each video: `out`, or of several videos its name below, with its ending where two have one name.

    Args:
        videos: At least one.
        out: What the user typed for it; None: below `predictions`.

    Raises:
        InputError: Two videos would have one folder.
    """
    if len(videos) == 1:
        return {videos[0]: Path("predictions") / videos[0].stem if out is None else typed_path(out, "out")}
    root = typed_path("predictions" if out is None else out, "out")
    stems = Counter(video.stem.casefold() for video in videos)
    folders = {video: root / (video.stem if stems[video.stem.casefold()] == 1 else video.name) for video in videos}
    if len(set(folders.values())) < len(folders):
        raise InputError("video: several of the files have the same name; give each folder of them its own out.")
    return folders


def video_id(video: Place, folder: Path) -> str:
    """Name a video in tables as its folder is named where two have one name.

    Args:
        video: The video.
        folder: The folder of its results.

    Raises:
        InputError: Its name is no text, or would lead out of the folder that results are written into.
    """
    _refuse_name(video)
    try:
        str(video).encode()
    except UnicodeEncodeError as error:
        shown = str(video).encode(errors="replace").decode()
        raise InputError(f"video {shown}: its name is not UTF-8; rename it.") from error
    return folder.name if folder.name == video.name else video.stem


def _refuse_name(video: Place) -> None:
    """Raise InputError for a name that is no name of one folder; what an object is called here, it is called on Windows."""
    stem = video.stem
    if stem == ".." or (isinstance(video, Url) and PureWindowsPath(stem).parts != (stem,)):
        raise InputError(f"video {video}: its name, {video.name}, cannot be that of a folder of results; rename it.")


def typed_path(text: str, key: str) -> Path:
    """Read a path that the user typed, `~` included.

    Args:
        text: The path.
        key: Its key, for the message.

    Raises:
        InputError: There is no such home directory, or it is a URL.
    """
    refuse_url(key, text)
    try:
        return Path(text).expanduser()
    except RuntimeError as error:
        raise InputError(f"{key} is {text}: there is no such home directory.") from error


def _is_video(path: Path) -> bool:
    return path.suffix.lower() in ENDINGS and not path.name.startswith(".") and path.is_file()
