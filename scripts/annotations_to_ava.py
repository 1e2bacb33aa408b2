"""Turn annotations from CVAT (video xml) or COCO-video json into an AVA csv and label map.

    python scripts/annotations_to_ava.py cvat annotations.xml out/ --fps 25 --video my_video
    python scripts/annotations_to_ava.py coco instances.json out/ --fps 25

CVAT: tracks of boxes ("CVAT for video 1.1"); actions are the box's checked attributes, or those of type select, or, where a
box has none, its label. COCO-video: `videos`, `images` with `video_id` and `frame_id` (or `frame_index`), `annotations` with
`bbox`, `category_id` (or `action_ids`) and `track_id` (or `instance_id`). A keyframe is a whole second: the frame nearest
to it is taken. Writes <out>/annotations.csv and <out>/action_list.pbtxt; check them with `lfb-check data=ava_custom`.
"""

import argparse
import json
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

from lfb_lightning.ava.annotations import write_annotations
from lfb_lightning.ava.label_map import write_label_map
from lfb_lightning.structures import Keyframe

Row = tuple[Keyframe, tuple[float, ...], str, int]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("form", choices=("cvat", "coco"))
    parser.add_argument("source", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--fps", type=float, required=True, help="of the annotated frames")
    parser.add_argument("--video", help="video id (cvat; default: the task's name)")
    parser.add_argument("--origin-second", type=float, default=0.0, help="timestamp of the first frame")
    arguments = parser.parse_args()
    try:
        rows, size = read_cvat(arguments) if arguments.form == "cvat" else read_coco(arguments)
    except (ET.ParseError, KeyError, ValueError, AttributeError) as error:
        parser.error(f"{arguments.source}: not {arguments.form} annotations ({type(error).__name__}: {error})")
    names = sorted({name for _, _, name, _ in rows})
    if not names:
        parser.error(f"{arguments.source}: no box lies on a whole second at {arguments.fps:g} frames a second")
    ids = {name: number for number, name in enumerate(names, 1)}
    arguments.out.mkdir(parents=True, exist_ok=True)
    rows.sort()
    write_annotations(arguments.out / "annotations.csv", [(key, box, ids[name], who) for key, box, name, who in rows])
    write_label_map(arguments.out / "action_list.pbtxt", {number: name for name, number in ids.items()})
    print(f"{len(rows)} rows, {len(names)} actions, {size} videos: {arguments.out / 'annotations.csv'}")
    return 0


def second_of(frame: int, arguments: argparse.Namespace) -> int | None:
    """The second whose nearest frame this is, or None."""
    second = round(frame / arguments.fps)
    nearest = round(second * arguments.fps)
    return round(arguments.origin_second) + second if nearest == frame else None


def read_cvat(arguments: argparse.Namespace) -> tuple[list[Row], int]:
    root = ET.parse(arguments.source).getroot()
    size = root.find("meta//original_size")
    width, height = float(size.findtext("width")), float(size.findtext("height"))
    name = root.findtext("meta/task/name") or root.findtext("meta/job/name") or arguments.source.stem
    video_id = arguments.video or Path(name).stem
    rows: list[Row] = []
    for track in root.findall("track"):
        for box in track.findall("box"):
            second = second_of(int(box.get("frame")), arguments)
            if second is None or box.get("outside") == "1":
                continue
            corners = (float(box.get(side)) for side in ("xtl", "ytl", "xbr", "ybr"))
            normalised = tuple(value / side for value, side in zip(corners, (width, height) * 2, strict=True))
            for action in actions_of(box) or [track.get("label")]:
                rows.append((Keyframe(video_id, second), normalised, action, int(track.get("id"))))
    return rows, 1


def actions_of(box: ET.Element) -> list[str]:
    found = []
    for attribute in box.findall("attribute"):
        value = (attribute.text or "").strip()
        if value.lower() == "true":
            found.append(attribute.get("name"))
        elif value and value.lower() not in ("false", "__undefined__", "none") and not value.replace(".", "").isdigit():
            found.append(value)
    return found


def read_coco(arguments: argparse.Namespace) -> tuple[list[Row], int]:
    content = json.loads(arguments.source.read_text())
    videos = {video["id"]: Path(video.get("name", str(video["id"]))).stem for video in content["videos"]}
    names = {category["id"]: category["name"] for category in content["categories"]}
    images = {image["id"]: image for image in content["images"]}
    rows: list[Row] = []
    for annotation in content["annotations"]:
        image = images[annotation["image_id"]]
        second = second_of(int(image.get("frame_id", image.get("frame_index"))), arguments)
        if second is None:
            continue
        x, y, width, height = map(float, annotation["bbox"])
        sides = (image["width"], image["height"]) * 2
        box = tuple(value / side for value, side in zip((x, y, x + width, y + height), sides, strict=True))
        person = int(annotation.get("track_id", annotation.get("instance_id", 0)))
        for category in annotation.get("action_ids") or [annotation["category_id"]]:
            rows.append((Keyframe(videos[image["video_id"]], second), box, names[category], person))
    return rows, len(videos)


if __name__ == "__main__":
    sys.exit(main())
