"""Data sets in the files of EPIC-Kitchens 55 and 100 with nothing of them: the color of the picture tells the verb."""

from fractions import Fraction

import av
import numpy as np

SIZE = (48, 36)
COLORS = [(220, 40, 40), (40, 60, 220), (40, 200, 60)]
VERBS, NOUNS = 3, 4
# id -> rate of the file, frames, segments: start and stop in seconds, verb, nouns
TRAIN = {
    "P01_01": (30, 120, [(0.2, 1.0, 0, [1]), (1.2, 2.5, 1, [2, 0]), (2.6, 3.9, 0, [1])]),
    "P25_02": (Fraction(30000, 1001), 75, [(0.1, 0.9, 1, [2]), (1.0, 2.4, 2, [3])]),
}
VAL = {
    # two segments with one middle, and one that stops after its video
    "P26_01": (60, 180, [(0.5, 1.5, 0, [1]), (0.8, 1.2, 1, [3]), (2.0, 2.8, 1, [2]), (2.5, 3.5, 0, [1])]),
    "P31_101": (50, 110, [(0.3, 1.7, 2, [3, 2])]),
}
HEADER_55 = (
    "uid,participant_id,video_id,narration,start_timestamp,stop_timestamp,start_frame,stop_frame,"
    "verb,verb_class,noun,noun_class,all_nouns,all_noun_classes\n"
)
HEADER_100 = (
    "narration_id,participant_id,video_id,narration_timestamp,start_timestamp,stop_timestamp,start_frame,stop_frame,"
    "narration,verb,verb_class,noun,noun_class,all_nouns,all_noun_classes\n"
)


def stamp(seconds):
    return f"00:00:{seconds:05.2f}"


def seconds_of(videos, one):
    rate, frames, _ = videos[one]
    return float(frames / Fraction(rate))


def write_videos(folder, videos):
    folder.mkdir(parents=True, exist_ok=True)
    for one, (rate, frames, segments) in videos.items():
        write_video(folder / f"{one}.MP4", rate, [shown(segments, float(i / Fraction(rate))) for i in range(frames)])


def shown(segments, second):
    """The picture's color: that of the verb of the last segment there, else gray."""
    colors = [COLORS[verb] for start, stop, verb, _ in segments if start <= second <= stop]
    return colors[-1] if colors else (90, 90, 90)


def write_epic55(folder):
    """Write the one official csv, whose participants make the splits, the classes and the videos."""
    write_videos(folder / "videos", TRAIN | VAL)
    rows, uid = [], 0
    for one, (_, _, segments) in (TRAIN | VAL).items():
        for start, stop, verb, nouns in segments:
            rows.append(
                f'{uid},{one[:3]},{one},"do, it",{stamp(start)},{stamp(stop)},{round(start * 60)},{round(stop * 60)},'
                f'verb{verb},{verb},noun{nouns[0]},{nouns[0]},"[]","{nouns}"\n'
            )
            uid += 2  # there are gaps
    (folder / "EPIC_train_action_labels.csv").write_text(HEADER_55 + "".join(rows))
    for head, count in (("verb", VERBS), ("noun", NOUNS)):
        lines = [f"{number},{head}{number},\"['{head}{number}']\"\n" for number in range(count)]
        (folder / f"EPIC_{head}_classes.csv").write_text(f"{head}_id,class_key,{head}s\n" + "".join(lines))
    return folder


def write_epic100(folder):
    """Write the official csvs of training, validation and test, with 97 verbs and 300 nouns, and the lists and videos."""
    write_videos(folder / "videos", TRAIN | VAL)
    for name, videos in (("train", TRAIN), ("validation", VAL), ("test_timestamps", VAL)):
        rows = []
        for one, (_, _, segments) in videos.items():
            rate = 50 if one == "P31_101" else 60
            for number, (start, stop, verb, nouns) in enumerate(segments):
                told = "" if number == 1 else stamp(start)
                row = [f"{one}_{number}", one[:3], one, told, stamp(start), stamp(stop)]
                row += [str(round(start * rate)), str(round(stop * rate))]
                row += [f'"do, it",v,{verb},n,{nouns[0]},"[]","{nouns}"'] if name != "test_timestamps" else []
                rows.append(",".join(row) + "\n")
        header = HEADER_100 if name != "test_timestamps" else ",".join(HEADER_100.split(",")[:8]) + "\n"
        (folder / f"EPIC_100_{name}.csv").write_text(header + "".join(rows))
    for head, count in (("verb", 97), ("noun", 300)):
        lines = [f"{number},{head}{number},\"['{head}{number}']\",group\n" for number in range(count)]
        (folder / f"EPIC_100_{head}_classes.csv").write_text("id,key,instances,category\n" + "".join(lines))
        rare = range(2, count) if head == "verb" else range(3, count)
        (folder / f"EPIC_100_tail_{head}s.csv").write_text(f"{head}\n" + "".join(f"{number}\n" for number in rare))
    (folder / "EPIC_100_unseen_participant_ids_validation.csv").write_text("participant_id\nP31\n")
    lines = [
        f"{one},{seconds_of(TRAIN | VAL, one):.6f},{float(rate)},48x36\n" for one, (rate, _, _) in (TRAIN | VAL).items()
    ]
    (folder / "EPIC_100_video_info.csv").write_text("video_id,duration,fps,resolution\n" + "".join(lines))
    return folder


def write_video(path, rate, colors):
    with av.open(str(path), "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=rate, options={"preset": "ultrafast", "x264-params": "threads=1"})
        stream.width, stream.height, stream.pix_fmt = *SIZE, "yuv420p"
        for index, color in enumerate(colors):
            picture = np.full((stream.height, stream.width, 3), color, dtype=np.uint8)
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts = index
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
