"""Persons of one's own video: the detector's path and the linkers, on OpenCV's street scene `vtest.avi`.

    python -m benchmarks.persons weights=person_nanodet_g_416.onnx [video=vtest.avi] [boxes=reference.csv]

Debian's package opencv-doc has the video. The weights are any `persons=onnx` model with the defaults of that adapter.

Detector: its boxes against the model run by hand (letterbox at the top left, padding 114, RGB 0..255, boxes divided by the
ratio), at every tenth frame; milliseconds per frame; recall and precision at IoU 0.5 against the boxes of `boxes=`, a csv in
AVA's form whose seconds are those of the video. Without that file there is no such line: the reference boxes are not kept
in this repository.

Linkers: the persons of 1, 2, 5 and 10 moments per second are linked, and identity switches are counted: how often a
person's id differs from the one at its last moment. Who is who is taken from dense boxes (all 10 frames per second, score
0.3 and more, low ones only to bridge gaps), tracked by ByteTrack of the package `trackers`: another program, at a rate at
which boxes of a person overlap. It errs too (about 50 identities, some of them one person before and after the lamppost),
so compare columns, not single figures. Plain IoU is an optimal assignment by overlap with the last seen box, with the same
patience as ours, at the usual least overlap of 0.3 and at the best one for it, any overlap at all.
"""

import sys
import time
import warnings
from pathlib import Path

import numpy as np
from PIL import Image

from lfb_lightning.ava.proposals import read_proposals
from lfb_lightning.boxes import iou_matrix
from lfb_lightning.persons import OnnxPersons, PersonLinker, TrackersLinker
from lfb_lightning.persons.assignment import cheapest_pairs
from lfb_lightning.structures import Keyframe
from lfb_lightning.video import VideoFile

VTEST = "/usr/share/doc/opencv-doc/examples/data/vtest.avi"
FPS, SHOWN, LOW = 10, 0.45, 0.3
PATIENCE = 3.0


class PlainIoU:
    """Matches boxes with the last seen ones of each track by overlap, optimally."""

    def __init__(self, least):
        self.least, self.tracks, self.next = least, [], 0

    def link(self, second, boxes, scores):
        self.tracks = [track for track in self.tracks if second - track[1] <= PATIENCE]
        ids = np.full(len(boxes), -1)
        if len(boxes) and self.tracks:
            overlap = iou_matrix(np.stack([track[2] for track in self.tracks]), boxes)
            for row, column in cheapest_pairs(np.where(overlap >= self.least, 1 - overlap, 1e3)):
                if overlap[row, column] >= self.least:
                    ids[column] = self.tracks[row][0]
                    self.tracks[row][1:] = [second, boxes[column]]
        for person in np.flatnonzero(ids < 0):
            ids[person] = self.next
            self.tracks.append([self.next, second, boxes[person]])
            self.next += 1
        return ids


def detected(path, weights):
    """Every frame's persons at FPS, and the milliseconds that one took."""
    video = VideoFile(path)
    seconds = np.arange(int(video.properties().seconds * FPS)) / FPS
    source = OnnxPersons(weights=weights, threshold=LOW)
    found, spent = [], 0.0
    for second, (frame,) in zip(seconds, video.stream(seconds[:, None]), strict=True):
        begun = time.perf_counter()
        found += source.find([frame], [float(second)], Path(path).stem)
        spent += time.perf_counter() - begun
    size = video.properties()
    return seconds, found, spent / len(seconds) * 1000, (size.width, size.height)


def by_hand(path, weights, seconds, found, size):
    """Largest difference in pixels between our boxes and the model run by hand, over every tenth frame."""
    import onnxruntime

    session = onnxruntime.InferenceSession(weights, providers=["CPUExecutionProvider"])
    width, height = size
    worst, number = 0.0, 0
    for index, (frame,) in zip(range(0, len(seconds), 10), VideoFile(path).stream(seconds[::10, None]), strict=True):
        r = 416 / max(height, width)
        small = Image.fromarray(frame).resize((round(width * r), round(height * r)), Image.Resampling.BILINEAR)
        image = np.full((416, 416, 3), 114, np.float32)
        image[: small.height, : small.width] = np.asarray(small)
        boxes, scores = session.run(["boxes", "scores"], {"images": image.transpose(2, 0, 1)[None]})
        boxes = (boxes / r).clip(0, [width, height, width, height])[scores >= LOW]
        ours = found[index].boxes * [width, height, width, height]
        assert ours.shape == boxes.shape, f"{len(ours)} boxes at frame {index}, by hand {len(boxes)}"
        worst, number = max(worst, float(np.abs(ours - boxes).max(initial=0))), number + len(boxes)
    return worst, number


def agreement(path, boxes, seconds, found):
    """Recall and precision at IoU 0.5 against the boxes of a file, over the seconds that it has, by threshold."""
    table = read_proposals(boxes)
    wanted = {
        keyframe.timestamp: table.above(Keyframe(Path(path).stem, keyframe.timestamp), 0.0).boxes
        for keyframe in table.keyframes
    }
    for threshold in (LOW, 0.4, SHOWN, 0.5):
        hits = theirs = ours = 0
        for second, persons in zip(seconds, found, strict=True):
            if second not in wanted:
                continue
            kept, truth = persons.boxes[persons.scores >= threshold], wanted[int(second)]
            overlap = iou_matrix(truth, kept)
            pairs = (
                cheapest_pairs(np.where(overlap >= 0.5, 1 - overlap, 1e3)) if overlap.size else np.zeros((0, 2), int)
            )
            hits += int((overlap[pairs[:, 0], pairs[:, 1]] >= 0.5).sum())
            theirs, ours = theirs + len(truth), ours + len(kept)
        print(f"| recall / precision at score {threshold} | {hits / max(theirs, 1):.3f} / {hits / max(ours, 1):.3f} |")


def identities(seconds, found, size):
    """Each dense box's identity by ByteTrack, -1 for none."""
    import supervision
    import trackers

    tracker = trackers.ByteTrackTracker(
        frame_rate=float(FPS),
        lost_track_buffer=60,  # thirtieths of a second
        track_activation_threshold=SHOWN,
        high_conf_det_threshold=SHOWN,
        minimum_iou_threshold=0.1,
    )
    named = []
    for persons in found:
        names = np.full(len(persons), -1)
        given = supervision.Detections(
            xyxy=persons.boxes * [*size, *size], confidence=persons.scores, data={"place": np.arange(len(persons))}
        )
        tracked = tracker.update(given)
        if len(tracked):
            names[tracked.data["place"]] = tracked.tracker_id
        named.append(names)
    return named


def switches(linker, step, seconds, found, named):
    """How often a known person has another id than at its last moment, and how often it has a last moment."""
    last, changed, number = {}, 0, 0
    for index in range(0, len(seconds), step):
        shown = found[index].scores >= SHOWN
        ids = linker.link(float(seconds[index]), found[index].boxes[shown], found[index].scores[shown])
        for name, number_given in zip(named[index][shown], ids, strict=True):
            if name < 0:
                continue
            if name in last:
                number, changed = number + 1, changed + (last[name] != number_given)
            last[name] = number_given
    return changed, number


def main():
    warnings.simplefilter("ignore")
    options = dict(argument.partition("=")[::2] for argument in sys.argv[1:])
    path, weights = options.get("video", VTEST), options.get("weights", "")
    if not (Path(path).is_file() and Path(weights).is_file()):
        sys.exit(f"benchmarks.persons: weights={weights}, video={path}: one is no file.\n\n{__doc__}")
    seconds, found, milliseconds, size = detected(path, weights)
    worst, number = by_hand(path, weights, seconds, found, size)
    print(f"{path}, {len(seconds)} frames, {Path(weights).name}\n\n| detector | |\n|---|---|")
    print(f"| largest difference to the model run by hand, of {number} boxes | {worst:.1e} pixels |")
    print(f"| per frame, with letterboxing | {milliseconds:.0f} ms |")
    if "boxes" in options:
        agreement(path, options["boxes"], seconds, found)
    named = identities(seconds, found, size)
    count = len(set(np.concatenate(named).tolist()) - {-1})
    aspect = size[0] / size[1]
    print(
        f"\n| identity switches ({count} identities) | links | IoU >= 0.3 | any IoU | ours | trackers |\n|---|---|---|---|---|---|"
    )
    for rate in (1, 2, 5, 10):
        linkers = [PlainIoU(0.3), PlainIoU(1e-6), PersonLinker(aspect=aspect)]
        linkers += [TrackersLinker(rate=float(rate), aspect=aspect)] if rate >= 5 else []
        outcomes = [switches(linker, FPS // rate, seconds, found, named) for linker in linkers]
        figures = [str(changed) for changed, _ in outcomes] + ["-"] * (4 - len(outcomes))
        print(f"| {rate} per second | {outcomes[0][1]} | {' | '.join(figures)} |")


if __name__ == "__main__":
    main()
