"""Download AVA's lists, annotations and videos; run again after an interruption, finished files are skipped.

    python scripts/ava/download.py data/ava --what annotations
    python scripts/ava/download.py data/ava --what videos --split trainval --jobs 4

Files are fetched under a temporary name and continued where the connection broke; a file gets its name when its length is
the one that the server states. `lfb-check` verifies the content of the files. `--list` prints the addresses instead, for
another downloader (aria2c -i, wget -i).
"""

import argparse
import sys
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

VIDEOS = "https://s3.amazonaws.com/ava-dataset"
ANNOTATIONS = "https://research.google.com/ava/download"
FAIR = "https://dl.fbaipublicfiles.com/video-long-term-feature-banks/data/ava/annotations"
ANNOTATION_FILES = [
    *(f"{ANNOTATIONS}/ava_{split}_v{version}.csv" for version in ("2.1", "2.2") for split in ("train", "val")),
    *(
        f"{ANNOTATIONS}/ava_{split}_excluded_timestamps_v{version}.csv"
        for version in ("2.1", "2.2")
        for split in ("train", "val")
    ),
    f"{ANNOTATIONS}/ava_action_list_v2.1_for_activitynet_2018.pbtxt",
    f"{ANNOTATIONS}/ava_action_list_v2.2_for_activitynet_2019.pbtxt",
    *(f"{FAIR}/ava_{split}_predicted_boxes.csv" for split in ("train", "val", "test")),
]
BLOCK = 1 << 20


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data_dir", type=Path)
    parser.add_argument("--what", choices=("annotations", "videos"), required=True)
    parser.add_argument("--split", choices=("trainval", "test"), default="trainval")
    parser.add_argument("--jobs", type=int, default=4, help="downloads at a time")
    parser.add_argument("--list", action="store_true", help="print addresses, download nothing")
    parser.add_argument("--names", type=Path, help="file of video names, one a line, instead of AVA's own list")
    parser.add_argument("--base", default=VIDEOS, help="address of the videos")
    arguments = parser.parse_args()
    if arguments.what == "annotations":
        addresses, folder = ANNOTATION_FILES, arguments.data_dir
    else:
        addresses, folder = video_addresses(arguments), arguments.data_dir / "videos"
    if arguments.list:
        print("\n".join(addresses))
        return 0
    folder.mkdir(parents=True, exist_ok=True)
    failed = []
    with ThreadPoolExecutor(arguments.jobs) as pool:
        outcomes = pool.map(lambda address: fetch(address, folder / address.rsplit("/", 1)[1]), addresses)
        for number, (address, problem) in enumerate(zip(addresses, outcomes, strict=True), 1):
            print(f"[{number}/{len(addresses)}] {address.rsplit('/', 1)[1]}: {problem or 'ok'}", flush=True)
            if problem:
                failed.append(address)
    print(f"{folder}: {len(addresses) - len(failed)} files, {len(failed)} failed; check them with lfb-check")
    return 1 if failed else 0


def video_addresses(arguments: argparse.Namespace) -> list[str]:
    if arguments.names is not None:
        text = arguments.names.read_text()
    else:
        release = "v2.1"
        with urllib.request.urlopen(
            f"{arguments.base}/annotations/ava_file_names_{arguments.split}_{release}.txt"
        ) as page:
            text = page.read().decode()
    return [f"{arguments.base}/{arguments.split}/{name.strip()}" for name in text.splitlines() if name.strip()]


def fetch(address: str, path: Path) -> str | None:
    """Download one file; returns what went wrong, or None."""
    if path.is_file():
        return None
    part = path.with_name(f".{path.name}.part")
    try:
        done = part.stat().st_size if part.is_file() else 0
        request = urllib.request.Request(address, headers={"Range": f"bytes={done}-"} if done else {})
        with urllib.request.urlopen(request, timeout=60) as answer:
            continued = answer.status == 206
            expected = int(answer.headers["Content-Length"]) + (done if continued else 0)
            with part.open("ab" if continued else "wb") as file:
                while block := answer.read(BLOCK):
                    file.write(block)
        if part.stat().st_size != expected:
            return f"{part.stat().st_size} of {expected} bytes came; run again to go on"
        part.rename(path)
    except (urllib.error.URLError, TimeoutError, OSError) as error:
        return f"{error}; run again to go on"
    return None


if __name__ == "__main__":
    sys.exit(main())
