"""Turn annotations of CVAT, COCO-video, Label Studio or VIA into AVA's csv and label map, or boxes into proposals.

    python scripts/annotations_to_ava.py cvat annotations.xml out/ --fps 25
    python scripts/annotations_to_ava.py cvat b.xml out_b/ --fps 25 --label-map out/action_list.pbtxt

`--help` says the rest; an installed package has the same as `lfb-data convert` and `python -m lfb_lightning.converters`.
"""

import sys

from lfb_lightning.converters.command_line import main

if __name__ == "__main__":
    sys.exit(main())
