"""A data set in the files of Charades with nothing of it: two classes, each a color that fills the picture for a while."""

import av
import numpy as np

FPS = 24
SIZE = (48, 36)
COLORS = [(220, 40, 40), (40, 60, 220)]
HEADER = "id,subject,scene,quality,relevance,verified,script,objects,descriptions,actions,length\r\n"
# id -> frames, intervals as the csv has them: a class twice, an end after the video, one that starts at its end
TRAIN = {
    "TR001": (100, "c000 0.00 1.50;c001 2.00 9.00"),
    "TR002": (60, "c001 0.50 1.25;c000 1.00 1.50;c001 1.50 2.00"),
    "TR003": (50, ""),
    "TR004": (84, "c000 1.00 3.00;c001 2.00 2.00"),
}
TEST = {
    "TE001": (72, "c000 0.00 3.00"),
    "TE002": (61, "c001 0.25 2.50"),
    "TE003": (48, ""),
    "TE004": (50, "c000 0.00 1.00;c001 1.00 2.08"),
}


def intervals(text):
    return [(int(part[1:4]), *map(float, part.split()[1:])) for part in text.split(";") if part]


def shown(text, index):
    """The picture's color at a frame: that of the last class there, else gray."""
    colors = [COLORS[action] for action, start, end in intervals(text) if start < index / FPS < end]
    return colors[-1] if colors else (90, 90, 90)


def write_charades_set(folder):
    """Write the class list, `Charades_v1_train.csv`, `Charades_v1_test.csv` and the videos."""
    (folder / "videos").mkdir(parents=True)
    (folder / "Charades_v1_classes.txt").write_text("c000 Showing red\nc001 Showing blue, or nearly\n")
    for name, videos in (("train", TRAIN), ("test", TEST)):
        rows = [
            f'{one},S000,Kitchen,,7,Yes,"A person, somewhere.",,"One;Another, with a comma.",{actions},{frames / FPS:.2f}\r\n'
            for one, (frames, actions) in videos.items()
        ]
        (folder / f"Charades_v1_{name}.csv").write_text(HEADER + "".join(rows), newline="")
        for one, (frames, actions) in videos.items():
            write_video(folder / "videos" / f"{one}.mp4", [shown(actions, index) for index in range(frames)])
    return folder


def write_video(path, colors):
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=FPS, options={"preset": "ultrafast", "x264-params": "threads=1"})
        stream.width, stream.height, stream.pix_fmt = *SIZE, "yuv420p"
        for index, color in enumerate(colors):
            picture = np.full((stream.height, stream.width, 3), color, dtype=np.uint8)
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts = index
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
