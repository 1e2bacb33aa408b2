"""What several tests build alike."""

from dataclasses import fields

import av
from PIL import Image, ImageDraw

from lfb_lightning.clips import ClipSettings
from lfb_lightning.datasets import AvaDataset

_OF_CLIPS = {field.name for field in fields(ClipSettings)}


def ava_data(**section):
    """The data set and the clips of a `data` section."""
    clips = {key: value for key, value in section.items() if key in _OF_CLIPS}
    own = {key: value for key, value in section.items() if key not in _OF_CLIPS or key == "fps"}
    return AvaDataset(**own), ClipSettings(**clips)


def write_figures(path, moments, *, size=(768, 432), fps=10, seconds=140):
    """Write an H.264 video of an empty room in which a figure stands in each box around its second.

    `moments` are texts: the second, then the box's corners as shares of the picture.
    """
    boxes = {int(second): tuple(map(float, corners)) for second, *corners in moments}
    width, height = size
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=fps, options={"preset": "ultrafast", "g": str(fps)})
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        for index in range(seconds * fps):
            image = Image.new("RGB", size, (205, 210, 222))
            canvas = ImageDraw.Draw(image)
            canvas.rectangle((0, 0.6 * height, width, height), fill=(150, 90, 50))
            if (box := boxes.get(round(index / fps))) is not None:
                x1, y1, x2, y2 = box[0] * width, box[1] * height, box[2] * width, box[3] * height
                canvas.ellipse(((x1 + x2) / 2 - 25, y1, (x1 + x2) / 2 + 25, y1 + 60), fill=(60, 40, 30))
                canvas.polygon([(x1, y2), ((x1 + x2) / 2, y1 + 50), (x2, y2)], fill=(20, 20, 30))
            frame = av.VideoFrame.from_image(image)
            frame.pts = index
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
