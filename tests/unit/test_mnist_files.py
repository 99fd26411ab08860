"""MNIST's files are verified before they are believed."""

from __future__ import annotations

import gzip
import hashlib
import shutil

import pytest
import torch

from pytest_modelcheck.errors import ModelCheckError
from pytest_modelcheck.evaluation.mnist import mnist_test_split

IMAGES, LABELS = "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"
MD5 = {
    IMAGES: "2646ac647ad5339dbf082846283269ea",
    LABELS: "27ae3e4e09519cfbb04c329615203637",
    f"{IMAGES}.gz": "9fb629c4189551a2d022fa330f9573f3",
    f"{LABELS}.gz": "ec29112dd5afa0611ce80d1b7f02629c",
}


@pytest.fixture
def raw(tmp_path, data_root):
    """The packed files in a folder of their own."""
    folder = tmp_path / "MNIST" / "raw"
    folder.mkdir(parents=True)
    for archive in (data_root / "MNIST" / "raw").glob("*.gz"):
        shutil.copy(archive, folder)
    return folder


def md5(path):
    return hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest()


def refusal(root):
    with pytest.raises(ModelCheckError) as raised:
        mnist_test_split(root)
    return str(raised.value)


def not_canonical(path, expected):
    return (
        f"{path} is not the canonical file: its md5 is {md5(path)}, expected {expected} ({path.stat().st_size:,} "
        "bytes). Delete it and fetch or unpack it again"
    )


def test_packed_files_are_unpacked_and_read(raw, tmp_path):
    data = mnist_test_split(tmp_path)
    image, label = data[0]
    assert (len(data), list(image.shape), image.dtype, label) == (10_000, [1, 28, 28], torch.float32, 7)
    assert torch.bincount(data.targets).tolist() == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
    assert md5(raw / IMAGES) == MD5[IMAGES]
    assert md5(raw / LABELS) == MD5[LABELS]


def test_nothing_but_the_files_is_left_behind(raw, tmp_path):
    mnist_test_split(tmp_path)
    packed = {path.name for path in raw.glob("*.gz")}
    assert {path.name for path in raw.iterdir()} == packed | {name.removesuffix(".gz") for name in packed}


def test_unpacked_files_are_enough(raw, tmp_path):
    mnist_test_split(tmp_path)
    for archive in raw.glob("*.gz"):
        archive.unlink()
    assert len(mnist_test_split(tmp_path)) == 10_000


def test_a_missing_file_is_named_with_what_to_do(raw, tmp_path):
    (raw / f"{LABELS}.gz").unlink()
    assert refusal(tmp_path) == (
        f"MNIST is not complete: neither {LABELS} nor {LABELS}.gz is in {raw}. "
        f"Download it with torchvision.datasets.MNIST({str(tmp_path)!r}, download=True), or name the "
        "folder that holds MNIST/raw with --modelcheck-mnist-root"
    )


def test_a_folder_without_data_is_named(tmp_path):
    name = "train-images-idx3-ubyte"
    assert refusal(tmp_path / "nowhere") == (
        f"MNIST is not complete: neither {name} nor {name}.gz is in {tmp_path / 'nowhere' / 'MNIST' / 'raw'}. "
        f"Download it with torchvision.datasets.MNIST({str(tmp_path / 'nowhere')!r}, download=True), or name the "
        "folder that holds MNIST/raw with --modelcheck-mnist-root"
    )


def test_a_truncated_archive_is_refused_and_not_unpacked(raw, tmp_path):
    archive = raw / f"{IMAGES}.gz"
    archive.write_bytes(archive.read_bytes()[:-1000])
    assert refusal(tmp_path) == not_canonical(archive, MD5[f"{IMAGES}.gz"])
    assert not (raw / IMAGES).exists()


def test_an_empty_archive_is_refused(raw, tmp_path):
    archive = raw / f"{IMAGES}.gz"
    archive.write_bytes(b"")
    assert refusal(tmp_path) == not_canonical(archive, MD5[f"{IMAGES}.gz"])


def test_another_archive_is_refused(raw, tmp_path):
    archive = raw / f"{LABELS}.gz"
    archive.write_bytes(gzip.compress(bytes(10_008)))
    assert refusal(tmp_path) == not_canonical(archive, MD5[f"{LABELS}.gz"])


@pytest.mark.parametrize("name", [IMAGES, LABELS])
def test_one_changed_byte_of_an_unpacked_file_is_refused(raw, tmp_path, name):
    mnist_test_split(tmp_path)
    content = bytearray((raw / name).read_bytes())
    content[-1] ^= 1
    (raw / name).write_bytes(content)
    assert refusal(tmp_path) == not_canonical(raw / name, MD5[name])


def test_a_truncated_unpacked_file_is_refused_though_its_archive_is_there(raw, tmp_path):
    (raw / LABELS).write_bytes(gzip.decompress((raw / f"{LABELS}.gz").read_bytes())[:-1])
    assert refusal(tmp_path) == not_canonical(raw / LABELS, MD5[LABELS])


def test_what_has_no_end_is_not_read(raw, tmp_path):
    (raw / IMAGES).symlink_to("/dev/zero")
    assert refusal(tmp_path) == (
        f"{raw / IMAGES} is not the canonical file: it is no regular file. Delete it and fetch or unpack it again"
    )


def test_what_is_larger_than_any_of_them_is_not_read(raw, tmp_path):
    with (raw / f"{LABELS}.gz").open("wb") as file:
        file.truncate(1 << 40)
    assert refusal(tmp_path) == (
        f"{raw / LABELS}.gz is not the canonical file: it has 1,099,511,627,776 bytes, expected at most 50,000,000. "
        "Delete it and fetch or unpack it again"
    )


def test_a_path_may_be_a_string(raw, tmp_path):
    assert len(mnist_test_split(str(tmp_path))) == 10_000
