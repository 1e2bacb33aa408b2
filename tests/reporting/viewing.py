"""What the tests of the viewers' files share: a prediction made by hand, and a recording read back with Rerun's reader."""

import json
from collections import defaultdict

from rerun.chunk import RrdReader

LEFT, RIGHT = [0.1, 0.1, 0.4, 0.9], [0.5, 0.1, 0.9, 0.9]


def prediction(**changes):
    """Two persons at second 0, one of them at second 2, who looks at rows 0 and 1; in the mean 0.4, 0.1, 0.2 and 0.3."""
    attention = [
        {"empty": 0.1, "rest": 0.2, "rows": [[0, 0.6], [1, 0.1]]},
        {"empty": 0.5, "rest": 0.2, "rows": [[0, 0.2], [1, 0.1]]},
    ]
    persons = [
        {"row": 0, "track": 7, "box": LEFT, "score": 0.9, "actions": {"1": 0.8, "2": 0.05}, "without": {"2": 0.5}},
        {"row": 1, "track": 4, "box": RIGHT, "score": 0.8, "actions": {}, "without": {}},
    ]
    last = {"row": 2, "track": 7, "box": RIGHT, "score": 0.7, "actions": {"1": 0.3, "2": 0.6}, "without": {"1": 0.2}}
    video = {"file": "v.avi", "id": "v", "seconds": 12.0, "fps": 2.0, "width": 160, "height": 96}
    return {
        "format": "lfb-lightning detections",
        "version": 1,
        "video": video,
        "actions": [{"id": 1, "name": "stand"}, {"id": 2, "name": "talk"}],
        "moments": [
            {"second": 0.0, "persons": persons},
            {"second": 2.0, "persons": [last | {"attention": attention}]},
            {"second": 4.0, "persons": []},
        ],
        **changes,
    }


def write_prediction(folder, **changes):
    """Write a folder as lfb-predict does."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "detections.json").write_text(json.dumps(prediction(**changes)))
    return folder


def read_recording(path):
    """Rows of each entity, ordered by time: a mapping of component to value, with `time` in seconds and `key_frame`."""
    entities = defaultdict(list)
    for chunk in RrdReader(str(path)).stream().to_chunks():
        columns = chunk.to_record_batch().to_pydict()
        for number in range(chunk.num_rows):
            row = {name.split(":")[-1]: values[number] for name, values in columns.items()}
            if "time" in row:
                row["time"] = row["time"].total_seconds()
            entities[chunk.entity_path].append(row)
    return {path: sorted(rows, key=lambda row: row.get("time", -1)) for path, rows in entities.items()}


def component(rows, name):
    """The values of a component, of the rows that have it."""
    return [row[name] for row in rows if row.get(name) is not None]
