"""`lfb-predict source=...`: the actions in a live picture, as JSON lines and in a preview."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from types import FrameType
from typing import TextIO

from omegaconf import DictConfig

from lfb_lightning.cli.checking import check_arguments
from lfb_lightning.cli.predict_videos import typed_path
from lfb_lightning.cli.sections import plain
from lfb_lightning.errors import InputError
from lfb_lightning.live import LiveRecognizer, LiveSettings, LiveSummary
from lfb_lightning.live.lines import LineWriter
from lfb_lightning.live.preview import Picture
from lfb_lightning.live.preview_page import PreviewPage
from lfb_lightning.live.preview_window import PreviewWindow
from lfb_lightning.prediction import LFBPredictor
from lfb_lightning.prediction.causal import note_of_causal
from lfb_lightning.video.live_source import LiveSource

LINES = "live.jsonl"


def live_settings(cfg: DictConfig) -> LiveSettings:
    """Read the `live` section; raises InputError for a key that it does not have."""
    section = plain(cfg.live)
    check_arguments("live", section, LiveSettings)
    return LiveSettings(**section)


def refuse_with_source(cfg: DictConfig) -> None:
    """Raise InputError for keys that are of stored videos only, and for a source that is none, before models are loaded."""
    LiveSource.parse(cfg.source)
    if cfg.video is not None:
        raise InputError(
            "video and source are both set: video is for stored videos, source for live pictures; give one."
        )
    if cfg.bank.dir is not None:
        raise InputError("bank.dir is set: a live source's bank is a ring that is never stored; leave it out.")


def predict_live(cfg: DictConfig, predictor: LFBPredictor) -> int:
    """Tell the actions of a live source until it ends, or until Ctrl-C.

    Args:
        cfg: The composed configuration.
        predictor: What scores.

    Returns:
        The exit status: 0.
    """
    stop = threading.Event()
    with ExitStack() as stack:
        stack.enter_context(_stopping(stop))
        watcher = stack.enter_context(_preview(cfg))
        recognizer = LiveRecognizer(
            predictor, cfg.source, settings=live_settings(cfg), report=_say, watcher=watcher, stop=stop
        )
        note = note_of_causal(predictor.trained)
        for line in [*predictor.notes, *([note] if note else [])]:
            _say(f"note: {line}")
        file = stack.enter_context(_lines(cfg.out))
        writer = LineWriter(file, recognizer, least_score=float(cfg.least_score))
        try:
            for moment in recognizer:
                writer.write(moment)
            writer.end()
        except BrokenPipeError:  # whoever read the lines has left: `lfb-predict ... | head`
            stop.set()
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        _say(told(recognizer.summary()))
    return 0


def told(summary: LiveSummary) -> str:
    """Put a summary into words."""
    lines = [
        f"{summary.ended.rstrip('.')}: {summary.moments} moments scored in {summary.seconds:.1f} s, "
        f"{summary.persons} persons in {summary.tracks} tracks",
        f"  left out: {summary.left_out} moments, {summary.dropped} frames kept for them; "
        f"frames: {summary.frames}, {summary.damaged} of them damaged; connected again: {summary.reconnected} times",
    ]
    if summary.latency is not None:
        median, high, most = summary.latency
        lines.append(f"  latency: median {median:.2f} s, 95 % within {high:.2f} s, at most {most:.2f} s")
    return "\n".join(lines)


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


@contextmanager
def _lines(out: str | None) -> Iterator[TextIO]:
    """Open where the lines go: standard output, or a file that they are added to."""
    if out is None:
        yield sys.stdout
        return
    path = typed_path(out, "out")
    if path.suffix != ".jsonl":
        path /= LINES
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = path.open("a", encoding="utf-8")
    except OSError as error:
        raise InputError(f"out {path}: cannot be written ({error.strerror}).") from error
    with file:
        yield file


@contextmanager
def _preview(cfg: DictConfig) -> Iterator[Picture | None]:
    """Show the pictures in a page or a window, if that is wanted."""
    if cfg.preview is None:
        yield None
        return
    picture = Picture(threshold=float(cfg.threshold))
    if cfg.preview == "window":
        with closing(PreviewWindow(picture)):
            yield picture
        return
    with closing(PreviewPage(picture, host=cfg.preview_host, port=cfg.preview_port)) as page:
        _say(f"preview: {page.address}")
        if not page.is_private:
            _say(f"warning: preview_host={page.host}: everybody who reaches it sees the pictures, without a password")
        yield picture


@contextmanager
def _stopping(stop: threading.Event) -> Iterator[None]:
    """Let Ctrl-C and SIGTERM end after the moment that is being scored; a second one ends at once."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {int(number): signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def ask(number: int, frame: FrameType | None) -> None:
        stop.set()
        signal.signal(number, before[number])

    for number in before:
        signal.signal(number, ask)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
