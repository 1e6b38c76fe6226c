"""Small pictures as PNG, written with the standard library only."""

import base64
import struct
import zlib

import numpy as np

from thinnet.typing import AnyArray, FloatArray

BLUE, ORANGE = np.array([0, 114, 178]), np.array([213, 94, 0])  # Okabe and Ito: for weights below and above zero


def png(pixels: AnyArray) -> bytes:
    """A PNG file of (height, width, 3 or 4) bytes: RGB or RGBA.

    >>> png(np.zeros((1, 1, 3), np.uint8))[:4]
    b'\\x89PNG'
    """
    height, width, channels = pixels.shape
    rows = np.zeros((height, 1 + width * channels), np.uint8)  # each row starts with its filter type: 0, none
    rows[:, 1:] = pixels.reshape(height, -1)
    head = struct.pack(">IIBBBBB", width, height, 8, {3: 2, 4: 6}[channels], 0, 0, 0)
    parts = ((b"IHDR", head), (b"IDAT", zlib.compress(rows.tobytes(), 9)), (b"IEND", b""))
    chunks = [
        struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
        for kind, content in parts
    ]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def data_uri(pixels: AnyArray) -> str:
    """A picture as a data URI."""
    return "data:image/png;base64," + base64.b64encode(png(pixels)).decode()


def photograph(row: AnyArray, shape: tuple[int, ...], top: float | None = None) -> AnyArray:
    """A row of pixels as (height, width, 3) bytes, scaled from [0, `top`], or from its own range if `top` is None."""
    values = row.astype(np.float64)
    low = values.min() if top is None else 0.0
    high = values.max() if top is None else top
    scaled = (values - low) / (high - low if high > low else 1)
    planes = (255 * np.clip(scaled, 0, 1)).astype(np.uint8).reshape((1, *shape)[-3:])
    return np.repeat(planes, 3 // len(planes), axis=0).transpose(1, 2, 0)


def weight_picture(row: FloatArray, shape: tuple[int, ...]) -> AnyArray:
    """Weights as a picture: in RGB if they are; else blue below zero, white at zero, orange above."""
    if shape[:-2] == (3,):
        return photograph(row, shape)
    values = row.reshape(shape[-2:]).astype(np.float64)
    share = np.clip(values / (np.abs(values).max() or 1), -1, 1)[..., None]
    color = np.where(share < 0, BLUE, ORANGE)
    pixels: AnyArray = (255 + np.abs(share) * (color - 255.0)).astype(np.uint8)
    return pixels
