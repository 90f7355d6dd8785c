"""Pictures as people see them: upright, of every kind of pixels."""

import cv2
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from analogy.data.pictures import plain_jpeg, read_picture
from analogy.data.video import is_single_picture, read_video
from analogy.errors import UserError
from analogy.files.names import NAMED_PICTURES, UNREAD_PICTURES, VIDEOS

RNG = np.random.default_rng(0)


def test_pictures_are_upright_and_laid_over_white(tmp_path):
    pixels = RNG.integers(0, 256, (6, 8, 3), dtype=np.uint8)
    exif = Image.Exif()
    exif[0x0112] = 6  # turned by 90 degrees clockwise to be shown
    Image.fromarray(pixels).save(tmp_path / "turned.png", exif=exif)
    np.testing.assert_array_equal(read_picture(tmp_path / "turned.png"), np.rot90(pixels, -1))
    hidden = np.dstack([np.full((32, 32, 3), 90, np.uint8), np.repeat([[0, 255]], 32, 0).repeat(16, 1).astype(np.uint8)])
    Image.fromarray(hidden).save(tmp_path / "alpha.avif", quality=100)
    (frame,) = read_video(tmp_path / "alpha.avif").frames
    assert np.abs(frame[:, :8].astype(int) - 255).max() < 3 and np.abs(frame[:, 24:].astype(int) - 90).max() < 3
    alpha = np.array([[0, 128, 255, 255]] * 2, np.uint8)
    Image.fromarray(np.dstack([np.full((2, 4, 3), 100, np.uint8), alpha])).save(tmp_path / "alpha.jpg", format="png")
    assert read_picture(tmp_path / "alpha.jpg")[0, :, 0].tolist() == [255, 177, 100, 100]  # read by content, not by its name
    cv2.imwrite(str(tmp_path / "deep.png"), np.array([[0, 256, 65535]], np.uint16))
    assert read_picture(tmp_path / "deep.png")[0, :, 1].tolist() == [0, 1, 255]


def test_all_that_pillow_reads_is_a_picture_where_it_is_named(tmp_path):
    formats = Image.registered_extensions()
    no_pictures = {".bufr", ".grib", ".h5", ".hdf", ".iim", ".fli", ".flc"}  # animations, and what Pillow knows by name alone
    read = {suffix for suffix, kind in formats.items() if kind in Image.OPEN} - no_pictures
    assert read <= {*NAMED_PICTURES, *UNREAD_PICTURES, *VIDEOS} and not {*NAMED_PICTURES} & {*UNREAD_PICTURES, *VIDEOS}
    pixels = np.repeat(RNG.integers(0, 2, (32, 32, 1), dtype=np.uint8) * 255, 3, -1)  # which every format can hold
    for suffix in sorted({*NAMED_PICTURES} & {suffix for suffix, kind in formats.items() if kind in Image.SAVE}):
        picture = Image.fromarray(pixels)
        file = tmp_path / f"one{suffix}"
        picture.convert({".xbm": "1", ".msp": "1", ".blp": "P"}.get(suffix, "RGB")).save(file)
        assert is_single_picture(file), suffix
        (frame,) = read_video(file).frames
        np.testing.assert_array_equal(frame, read_picture(file))
        if suffix not in (".icns", ".avif", ".avifs", ".webp", *(s for s, kind in formats.items() if kind in ("JPEG", "MPO"))):
            np.testing.assert_array_equal(frame, pixels, err_msg=suffix)


def test_a_jpeg_is_turned_only_where_it_must_be(tmp_path):
    pixels = cv2.resize(RNG.integers(0, 256, (3, 4, 3), dtype=np.uint8), (64, 48), interpolation=cv2.INTER_CUBIC)
    for orientation, expected in ((1, pixels), (3, pixels[::-1, ::-1])):
        exif = Image.Exif()
        exif[0x0112] = orientation
        Image.fromarray(pixels).save(tmp_path / "a.jpg", exif=exif, quality=95)
        data = (tmp_path / "a.jpg").read_bytes()
        assert (plain_jpeg(data) is data) == (orientation == 1)
        (tmp_path / "b.jpg").write_bytes(plain_jpeg(data))
        for name in ("a.jpg", "b.jpg"):
            assert np.abs(read_picture(tmp_path / name).astype(int) - expected).mean() < 4


@pytest.mark.parametrize("orientation", range(10))
def test_pictures_are_turned_as_they_say(tmp_path, orientation):
    pixels = cv2.resize(RNG.integers(0, 256, (3, 4, 3), dtype=np.uint8), (64, 48), interpolation=cv2.INTER_CUBIC)
    turned = {2: pixels[:, ::-1], 3: pixels[::-1, ::-1], 4: pixels[::-1], 5: pixels.swapaxes(0, 1), 6: np.rot90(pixels, -1)}
    turned |= {7: pixels.swapaxes(0, 1)[::-1, ::-1], 8: np.rot90(pixels)}
    exif = Image.Exif()
    exif[0x0112] = orientation
    for name in ("a.jpg", "a.png"):
        Image.fromarray(pixels).save(tmp_path / name, exif=exif, quality=95)
        (tmp_path / "plain.jpg").write_bytes(plain_jpeg((tmp_path / name).read_bytes()))
        for path in (tmp_path / name, tmp_path / "plain.jpg"):
            assert np.abs(read_picture(path).astype(int) - turned.get(orientation, pixels)).mean() < 4


def test_every_kind_of_pixels(tmp_path):
    colours = cv2.resize(RNG.integers(0, 256, (3, 4, 3), dtype=np.uint8), (64, 48), interpolation=cv2.INTER_CUBIC)
    picture, gray = Image.fromarray(colours), np.asarray(Image.fromarray(colours).convert("L"))
    over_white, palette = colours.copy(), picture.quantize(255)
    over_white[:10] = 255
    transparent = Image.fromarray(np.where(np.arange(48)[:, None] < 10, 255, np.asarray(palette)).astype(np.uint8), "P")
    transparent.putpalette([*palette.getpalette()[:765], 7, 7, 7])
    grays = np.repeat(gray[..., None], 3, -1)
    transparent.save(tmp_path / "palette.png", transparency=255)
    picture.convert("CMYK").save(tmp_path / "cmyk.jpg", quality=95)
    picture.convert("L").save(tmp_path / "gray.jpg", quality=95)
    picture.convert("YCbCr").save(tmp_path / "ycbcr.tiff")
    cv2.imwrite(str(tmp_path / "deep.png"), colours[..., ::-1].astype(np.uint16) * 257)
    cv2.imwrite(str(tmp_path / "deep_gray.tiff"), gray.astype(np.uint16) * 257)
    picture.save(tmp_path / "photo.jpg", "MPO", save_all=True, append_images=[picture.resize((32, 24))], quality=95)
    expected = {"palette.png": over_white, "cmyk.jpg": colours, "gray.jpg": grays, "deep.png": colours, "ycbcr.tiff": colours}
    for name, pixels in (expected | {"deep_gray.tiff": grays, "photo.jpg": colours}).items():
        stored = tf.io.decode_jpeg(plain_jpeg((tmp_path / name).read_bytes()), channels=3).numpy()
        for read in (read_picture(tmp_path / name), stored):
            assert np.abs(read.astype(int) - pixels).mean() < 6, name
    assert len(read_video(tmp_path / "photo.jpg").frames) == 1
    cv2.imwrite(str(tmp_path / "fractions.tiff"), gray.astype(np.float32) / 255)
    Image.fromarray(gray.astype(np.int32) * 1000).save(tmp_path / "large.tiff")
    for name in ("fractions.tiff", "large.tiff"):
        with pytest.raises(UserError, match=rf"{name}.*save it with 8 or 16 bits"):
            read_picture(tmp_path / name)


def test_colours_that_were_multiplied_by_their_transparency(tmp_path):
    """In TIFF a tag says so. Pillow writes none of these, so the tags are set here."""
    alpha = np.array([[64, 128, 255]] * 2, np.uint8)
    colours = np.array([200, 100, 50]) * alpha[..., None] / 255
    file = tmp_path / "alpha.tif"
    Image.fromarray(np.dstack([colours.round().astype(np.uint8), alpha])).save(file)
    kind, place = bytes.fromhex("5201 0300 01000000"), bytes.fromhex("1c01 0300 01000000")
    assert file.read_bytes().count(kind + b"\x02") == 1
    file.write_bytes(file.read_bytes().replace(kind + b"\x02", kind + b"\x01"))
    over_white = np.broadcast_to(colours + 255 - alpha[..., None], (2, 3, 3))
    np.testing.assert_allclose(read_picture(file).astype(int), over_white, atol=2)
    Image.fromarray(np.dstack([alpha, alpha]), "LA").save(file)
    assert read_picture(file)[0, :, 1].tolist() == [207, 191, 255]
    file.write_bytes(file.read_bytes().replace(place + b"\x01", place + b"\x02"))
    with pytest.raises(UserError, match=r"alpha\.tif: .*planes of grey and transparency: save it as PNG"):
        read_picture(file)
