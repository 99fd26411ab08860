"""The small pictures of a report are the images that the model was given."""

from __future__ import annotations

import base64
import io
import warnings

import numpy as np
import pytest
import torch
from PIL import Image

from pytest_modelcheck.evaluation.pictures import picture_of


def bytes_of(address):
    head, _, encoded = address.partition(",")
    assert head == "data:image/png;base64"
    return base64.b64decode(encoded, validate=True)


def opened(address):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        picture = Image.open(io.BytesIO(bytes_of(address)))
        picture.verify()  # the checksums
        return Image.open(io.BytesIO(bytes_of(address)))


def images(*shape):
    """Images of all 256 levels, from dark to bright, each with its own pattern."""
    made = torch.randint(0, 256, shape, generator=torch.Generator().manual_seed(0)).float()
    made[:, 0, 0, 0], made[:, 0, 0, 1] = 0, 255
    return made


@pytest.mark.parametrize("size", [(4, 4), (28, 28), (5, 64), (64, 7)])
@pytest.mark.parametrize(("channels", "mode"), [(1, "L"), (3, "RGB")])
def test_a_picture_has_the_pixels_of_its_image(channels, mode, size):
    batch = images(3, channels, *size)
    for row in range(3):
        address = picture_of(batch, row)
        picture = opened(address)
        assert (picture.format, picture.mode, picture.size) == ("PNG", mode, size[::-1])
        pixels = torch.from_numpy(np.asarray(picture).copy()).reshape(*size, channels).permute(2, 0, 1)
        assert torch.equal(pixels.float(), batch[row])


@pytest.mark.parametrize(
    "change",
    [
        lambda batch: batch / 255,
        lambda batch: (batch / 255 - 0.1307) / 0.3081,
        lambda batch: batch.to(torch.uint8),
        lambda batch: batch.double() * 1e6,
        lambda batch: batch.requires_grad_(),
        lambda batch: batch.to(memory_format=torch.channels_last),
        lambda batch: batch.transpose(2, 3).contiguous().transpose(2, 3),
    ],
    ids=["unit", "normalized", "bytes", "large", "with a gradient", "channels last", "transposed"],
)
@pytest.mark.parametrize("channels", [1, 3])
def test_the_values_are_stretched_to_the_full_range(channels, change):
    batch = images(2, channels, 9, 12)
    pixels = np.asarray(opened(picture_of(change(batch.clone()), 1))).reshape(9, 12, channels).transpose(2, 0, 1)
    assert np.abs(pixels.astype(float) - batch[1].numpy()).max() <= 1


@pytest.mark.parametrize("value", [0.0, -3.0, 1e30])
def test_an_image_of_one_level_is_black(value):
    assert not np.asarray(opened(picture_of(torch.full((1, 1, 8, 8), value), 0))).any()


@pytest.mark.parametrize(
    ("size", "shown"),
    [
        ((64, 64), (64, 64)),
        ((65, 65), (64, 64)),
        ((224, 224), (64, 64)),
        ((100, 200), (32, 64)),
        ((2_000, 10), (64, 1)),
        ((8_192, 4), (64, 1)),
        ((4, 8_192), (1, 64)),
    ],
)
@pytest.mark.parametrize("channels", [1, 3])
def test_a_large_image_is_at_most_64_pixels_a_side(size, shown, channels):
    assert opened(picture_of(images(1, channels, *size), 0)).size == shown[::-1]


def test_a_large_image_is_averaged():
    batch = torch.zeros(1, 1, 128, 128)
    batch[..., :64, :] = torch.eye(2).repeat(32, 64) * 2  # half of the upper pixels
    pixels = np.asarray(opened(picture_of(batch, 0)))
    assert (pixels[:32].min(), pixels[:32].max(), pixels[32:].max()) == (255, 255, 0)


def spoilt(value):
    batch = images(1, 1, 8, 8)
    batch[0, 0, 3, 3] = value
    return batch


@pytest.mark.parametrize(
    "inputs",
    [
        None,
        {"pixel_values": images(1, 3, 8, 8)},
        [images(1, 3, 8, 8)],
        torch.eye(8),
        images(1, 3, 8, 8)[0],
        torch.rand(1, 1, 4, 8, 8),
        torch.rand(1, 2, 8, 8),
        torch.rand(1, 4, 8, 8),
        torch.rand(1, 8, 8, 3),
        torch.rand(1, 1, 3, 8),
        torch.rand(1, 1, 8, 3),
        torch.zeros(1, 1, 8_193, 4),
        torch.zeros(1, 1, 0, 0),
        spoilt(float("nan")),
        spoilt(float("inf")),
        spoilt(float("-inf")),
    ],
    ids=lambda inputs: str(list(inputs.shape)) if hasattr(inputs, "shape") else type(inputs).__name__,
)
def test_what_is_no_image_has_no_picture(inputs):
    assert picture_of(inputs, 0) == ""


def test_a_nan_in_another_image_takes_no_picture_away():
    batch = torch.cat([spoilt(float("nan")), images(1, 1, 8, 8)])
    assert (picture_of(batch, 0), picture_of(batch, 1) != "") == ("", True)


def test_a_picture_leaves_the_image_as_it_is():
    batch = images(2, 3, 100, 100)
    before = batch.clone()
    picture_of(batch, 0)
    assert torch.equal(batch, before)
