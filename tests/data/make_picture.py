"""Make `docs/media/demo.jpg`: frames of the demo, the masks on them, and the cleaned frames.

python tests/data/make_picture.py docs/media/demo.mp4 docs/media/demo.jpg
"""

import sys
import tempfile
from pathlib import Path

import cv2
import numpy as np

import remover
from remover.preview import tile
from remover.video import Reader, RgbPictures, probe, read_gray

BOX = "352,137,74,74@12"
FRAMES = (4, 20, 36, 52)
WIDTH = 300


def pictures(path: Path) -> tuple[list[np.ndarray], object]:
    info = probe(path)
    reader = Reader(info)
    count = sum(1 for _ in reader.scan())
    return list(RgbPictures(reader).read(0, count)), info


def main() -> None:
    source, target = Path(sys.argv[1]), Path(sys.argv[2])
    with tempfile.TemporaryDirectory() as folder:
        masks, cleaned = Path(folder) / "masks.mkv", Path(folder) / "clean.mp4"
        remover.mask(source, masks, box=[BOX])
        remover.clean(source, cleaned, box=[BOX])
        before, info = pictures(source)
        after, _ = pictures(cleaned)
        held = [gray > 127 for gray in read_gray(masks)]
        rows = [
            [before[i] for i in FRAMES],
            [tile(before[i], held[i], info, "") for i in FRAMES],
            [after[i] for i in FRAMES],
        ]
    height = round(before[0].shape[0] * WIDTH / before[0].shape[1])
    small = [
        np.hstack([cv2.resize(p, (WIDTH, height), interpolation=cv2.INTER_AREA) for p in row])
        for row in rows
    ]
    sheet = cv2.cvtColor(np.vstack(small), cv2.COLOR_RGB2BGR)
    cv2.imwrite(str(target), sheet, [cv2.IMWRITE_JPEG_QUALITY, 85])


if __name__ == "__main__":
    main()
