"""Small videos and folders of pictures, written for tests."""

from pathlib import Path

import av
import cv2
import numpy as np


def write_video(path: Path, pictures: list[np.ndarray], codec="ffv1", pixel_format="bgr0") -> None:
    height, width = pictures[0].shape[:2]
    with av.open(str(path), "w") as container:
        video = container.add_stream(codec, rate=24)
        video.width, video.height, video.pix_fmt = width, height, pixel_format
        for picture in pictures:
            container.mux(video.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(video.encode())


def write_pictures(folder: Path, pictures: list[np.ndarray]) -> None:
    folder.mkdir()
    for number, picture in enumerate(pictures):
        cv2.imwrite(str(folder / f"{number:05d}.png"), picture[..., ::-1])


def moving(count: int, height=64, width=96) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Pictures whose level tells their number, with a white square, and its masks."""
    pictures, masks = [], []
    for number in range(count):
        picture = np.full((height, width, 3), 20 + 4 * number, np.uint8)
        mask = np.zeros((height, width), bool)
        mask[20:36, 10 + number : 30 + number] = True
        picture[mask] = 255
        pictures.append(picture)
        masks.append(mask)
    return pictures, masks


def as_pictures(masks):
    return [np.repeat(mask[..., None] * np.uint8(255), 3, 2) for mask in masks]
