"""Download AVA's lists, annotations and videos; run again after an interruption, finished files are skipped.

    python scripts/ava/download.py data/ava --what annotations
    python scripts/ava/download.py data/ava --what videos --split trainval --jobs 4

`lfb-data download` is the same for an installed package; this needs nothing but Python. Files are fetched under a temporary
name and continued where the connection broke; a file gets its name when its length is the one that the server states.
`lfb-check` verifies the content of the files. `--list` prints the addresses instead, for another downloader (aria2c -i,
wget -i).
"""

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2] / "src"))

from lfb_lightning.ava.downloading import ANNOTATION_FILES, VIDEOS, download, video_addresses
from lfb_lightning.errors import InputError


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data_dir", type=Path)
    parser.add_argument("--what", choices=("annotations", "videos"), required=True)
    parser.add_argument("--split", choices=("trainval", "test"), default="trainval")
    parser.add_argument("--jobs", type=int, default=4, help="downloads at a time")
    parser.add_argument("--list", action="store_true", help="print addresses, download nothing")
    parser.add_argument("--names", type=Path, help="file of video names, one a line, instead of AVA's own list")
    parser.add_argument("--base", default=VIDEOS, help="address of the videos")
    given = parser.parse_args()
    if given.what == "annotations":
        addresses, folder = list(ANNOTATION_FILES), given.data_dir
    else:
        addresses = video_addresses(given.split, base=given.base, names=given.names)
        folder = given.data_dir / "movies"
    if given.list:
        print("\n".join(addresses))
        return 0
    failed = 0
    for number, (name, problem) in enumerate(download(addresses, folder, jobs=given.jobs), 1):
        print(f"[{number}/{len(addresses)}] {name}: {problem or 'ok'}", flush=True)
        failed += problem is not None
    print(f"{folder}: {len(addresses) - failed} files, {failed} failed; check them with lfb-check")
    return 1 if failed else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except InputError as error:
        sys.exit(f"download.py: {error}")
