"""Every change against what it claims; none touches an image in evaluation."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from PIL import Image, ImageEnhance, ImageOps
from sklearn.datasets import load_digits, load_sample_images

from core.config import AugmentationConfig
from core.experiment.augmentation import augmentation_layers, mixing_layer
from core.experiment.augmentation.geometry import PadAndCrop, warp
from core.experiment.augmentation.rand_augment import CHANGES, GEOMETRIC, RandAugment

pytestmark = pytest.mark.slow

GENERATOR = np.random.default_rng(0)
IMAGES = GENERATOR.integers(0, 256, (40, 16, 16, 3)).astype("float32")
LABELS = np.arange(40) % 4

ONE_OF_EACH = {
    "pad_and_crop": 3,
    "horizontal_flip": True,
    "vertical_flip": True,
    "rotation": 40.0,
    "shift": 0.2,
    "shear": 20.0,
    "zoom": 0.2,
    "brightness": 0.3,
    "contrast": 0.8,
    "noise": 0.1,
    "erasing": 1.0,
    "rand_augment": 2,
}


def changed(config: AugmentationConfig, images: np.ndarray = IMAGES, training: bool = True) -> np.ndarray:
    for layer in augmentation_layers(config, seed=0):
        images = layer(images, training=training)
    return keras.ops.convert_to_numpy(images)


@pytest.mark.parametrize("name", ONE_OF_EACH)
def test_every_change_changes_training_images_and_no_others(name: str) -> None:
    config = AugmentationConfig.model_validate({name: ONE_OF_EACH[name]})
    np.testing.assert_array_equal(changed(config, training=False), IMAGES)
    after = changed(config)
    assert after.shape == IMAGES.shape
    assert not np.array_equal(after, IMAGES)
    assert np.isfinite(after).all()


def test_no_setting_no_layer() -> None:
    assert augmentation_layers(AugmentationConfig(), seed=0) == []
    assert mixing_layer(AugmentationConfig(), seed=0) is None


def test_a_random_crop_is_a_window_of_the_image_and_evaluation_takes_the_centre() -> None:
    config = AugmentationConfig(random_crop=13)
    np.testing.assert_array_equal(changed(config, training=False), IMAGES[:, 1:14, 1:14])
    (layer,) = augmentation_layers(config, seed=0)
    places = set()
    for _ in range(10):
        for before, after in zip(IMAGES, np.asarray(layer(IMAGES, training=True)), strict=True):
            (place,) = [
                (top, left)
                for top in range(4)
                for left in range(4)
                if np.array_equal(before[top : top + 13, left : left + 13], after)
            ]
            places.add(place)
    assert len(places) == 16  # each of the four by four places comes up in four hundred draws


def test_padding_and_crop_go_together() -> None:
    layer = PadAndCrop(padding=2, size=6, seed=0)
    images = np.ones((8, 6, 6, 1), "float32")
    assert np.asarray(layer(images, training=True)).min() == 0  # some zeros came in
    assert layer(images, training=False).shape == (8, 6, 6, 1)


def warped(images: np.ndarray, fill: str = "black", **given: float) -> np.ndarray:
    names = ("angle", "shear_x", "shear_y", "scale", "down", "right")
    values = {name: np.full(len(images), given.get(name, 1.0 if name == "scale" else 0.0)) for name in names}
    return np.asarray(warp(keras.ops.convert_to_tensor(images), **values, fill=fill))


def test_warping_by_nothing_changes_nothing() -> None:
    np.testing.assert_allclose(warped(IMAGES), IMAGES, atol=1e-3)


def test_a_quarter_turn_is_a_quarter_turn() -> None:
    turned = warped(IMAGES, angle=np.pi / 2)
    np.testing.assert_allclose(turned, np.rot90(IMAGES, axes=(1, 2)), atol=0.1)


def test_a_shift_moves_pixels_and_fills_as_asked() -> None:
    moved = warped(IMAGES, down=3, right=2)
    np.testing.assert_allclose(moved[:, 3:, 2:], IMAGES[:, :-3, :-2], atol=1e-3)
    assert not moved[:, :3].any()
    border = warped(IMAGES, fill="nearest", down=3)
    np.testing.assert_allclose(border[:, :3], IMAGES[:, :1].repeat(3, axis=1), atol=1e-3)


def test_zoom_enlarges_about_the_centre() -> None:
    """A square of six pixels in the middle becomes one of twelve."""
    square = np.zeros((1, 16, 16, 1), "float32")
    square[:, 5:11, 5:11] = 100
    larger = warped(square, scale=2.0)
    assert larger.sum() == pytest.approx(4 * square.sum(), rel=0.01)
    np.testing.assert_allclose(larger, larger[:, ::-1, ::-1], atol=1e-2)


def test_shear_moves_rows_in_proportion_to_their_height() -> None:
    """A vertical line of eight rows, sheared by one column a row, becomes a diagonal."""
    line = np.zeros((1, 9, 9, 1), "float32")
    line[:, :, 4] = 1
    np.testing.assert_allclose(warped(line, shear_x=1.0)[0, :, :, 0], np.eye(9), atol=1e-5)


def test_rotation_stays_within_its_bound() -> None:
    """A line from the centre to the right, turned by at most 20°, stays in that sector."""
    images = np.zeros((200, 41, 41, 1), "float32")
    images[:, 20, 35] = 255
    y, x = np.mgrid[-20:21, -20:21]
    for image in changed(AugmentationConfig(rotation=20, fill="black"), images):
        weight = image[..., 0] / image.sum()
        assert abs(np.degrees(np.arctan2((weight * y).sum(), (weight * x).sum()))) < 20.5


def test_brightness_adds_one_number_and_clips_nothing() -> None:
    after = changed(AugmentationConfig(brightness=0.5))
    added = (after - IMAGES).reshape(40, -1)
    np.testing.assert_allclose(added.std(axis=1), 0, atol=1e-3)
    assert np.abs(added).max() <= 127.5
    assert after.min() < 0
    assert after.max() > 255


def test_contrast_multiplies_the_differences_from_the_mean_of_each_channel() -> None:
    after = changed(AugmentationConfig(contrast=0.8))
    np.testing.assert_allclose(after.mean(axis=(1, 2)), IMAGES.mean(axis=(1, 2)), rtol=1e-4)
    factors = after.std(axis=(1, 2)) / IMAGES.std(axis=(1, 2))
    np.testing.assert_allclose(factors, factors[:, :1].repeat(3, axis=1), rtol=1e-3)
    assert 0.2 <= factors.min() < 0.4
    assert 1.6 < factors.max() <= 1.8


def test_noise_has_the_deviation_asked_for() -> None:
    noise = changed(AugmentationConfig(noise=0.1)) - IMAGES
    assert noise.std() == pytest.approx(25.5, rel=0.03)
    assert abs(noise.mean()) < 1


@pytest.mark.parametrize("per_pixel", [True, False])
def test_erasing_takes_a_rectangle_of_the_area_and_ratio_asked_for(per_pixel: bool) -> None:
    images = np.full((200, 30, 30, 1), 1000.0, "float32")
    config = AugmentationConfig(erasing=1, erasing_area=0.3, erasing_ratio=2.0, erasing_per_pixel=per_pixel)
    areas = []
    for image in changed(config, images)[..., 0]:
        rows, columns = np.nonzero(image != 1000)
        tall, wide = np.ptp(rows) + 1, np.ptp(columns) + 1
        assert len(rows) == tall * wide  # whole
        assert max(tall, wide) / min(tall, wide) <= 3  # 2, and what rounding small sides adds
        areas.append(len(rows) / 900)
        assert len(np.unique(image[rows, columns])) == (len(rows) if per_pixel else 1)
    assert 0.01 < min(areas) < 0.06
    assert 0.25 < max(areas) < 0.33


def test_erasing_happens_as_often_as_asked() -> None:
    images = np.full((400, 8, 8, 1), 1000.0, "float32")
    erased = (changed(AugmentationConfig(erasing=0.25), images) != 1000).any(axis=(1, 2, 3)).mean()
    assert erased == pytest.approx(0.25, abs=0.08)  # three deviations of 400 draws are 0.065


def mixed(**config: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    layer = mixing_layer(AugmentationConfig.model_validate(config), seed=0)
    assert layer is not None
    images, partner, share = (np.asarray(one) for one in layer(IMAGES, training=True))
    assert sorted(partner) == list(range(40))
    return images, partner, share


def test_mixup_is_the_convex_combination_of_two_images() -> None:
    images, partner, share = mixed(mixup=1.0)
    own = share[:, None, None, None]
    np.testing.assert_allclose(images, own * IMAGES + (1 - own) * IMAGES[partner], atol=1e-3)
    assert 0 <= share.min() < 0.2
    assert 0.8 < share.max() <= 1


def test_cutmix_pastes_a_rectangle_and_its_share_is_its_area() -> None:
    images, partner, share = mixed(cutmix=1.0)
    for row in range(40):
        if partner[row] == row:
            continue
        pasted = (images[row] != IMAGES[row]).any(axis=-1)
        np.testing.assert_array_equal(images[row][pasted], IMAGES[partner[row]][pasted])
        assert pasted.mean() == pytest.approx(1 - share[row], abs=1e-6)
        if pasted.any():
            rows, columns = np.nonzero(pasted)
            assert pasted.sum() == (np.ptp(rows) + 1) * (np.ptp(columns) + 1)


def test_with_both_each_image_gets_one_of_them() -> None:
    images, partner, share = mixed(mixup=1.0, cutmix=1.0)
    own = share[:, None, None, None]
    blended = np.isclose(images, own * IMAGES + (1 - own) * IMAGES[partner], atol=1e-2).all(axis=(1, 2, 3))
    assert 8 < blended.sum() < 32


def test_small_alpha_leaves_most_images_nearly_alone() -> None:
    _, _, share = mixed(mixup=0.1)
    assert (np.abs(share - 0.5) > 0.4).mean() > 0.5


def test_nothing_is_mixed_in_evaluation() -> None:
    layer = mixing_layer(AugmentationConfig(mixup=1, cutmix=1), seed=0)
    assert layer is not None
    images, partner, share = (np.asarray(one) for one in layer(IMAGES, training=False))
    np.testing.assert_array_equal(images, IMAGES)
    np.testing.assert_array_equal(partner, np.arange(40))
    assert (share == 1).all()


def real_images() -> dict[str, np.ndarray]:
    """Photographs, a handwritten digit on black, and images with flat parts: uint8 `(H, W, C)`."""
    photographs = {
        name: np.asarray(Image.fromarray(photograph).resize((96, 64), Image.Resampling.LANCZOS))
        for name, photograph in zip(("china", "flower"), load_sample_images().images, strict=True)
    }
    digit = np.kron(load_digits().images[0], np.ones((4, 4))) * 255 / 16
    on_black = np.pad(digit, 16).astype("uint8")[..., None]
    return {
        **photographs,
        "digit": on_black,
        "dark digit": 255 - on_black,
        "grey photograph": np.asarray(Image.fromarray(photographs["china"]).convert("L"))[..., None],
        "flat": np.full((32, 32, 3), 9, "uint8"),
        "two colours": np.where(np.arange(32)[:, None, None] < 5, 200, 30).repeat(32, 1).astype("uint8"),
        "fewer pixels than values": digit.astype("uint8")[::4, ::4, None],
    }


REAL = real_images()
# Pillow keeps whole numbers and ours are fractions: one step, and 0.36 where a blend of 0.72 enlarges a half.
ROUNDING = 1.37


def by_pillow(change: str, picture: Image.Image, level: float, sign: int) -> Image.Image:
    """What Pillow makes of a picture for a change at a magnitude of `10 * level`."""
    factor = 1 + sign * 0.9 * level
    match change:
        case "identity":
            return picture
        case "auto_contrast":
            return ImageOps.autocontrast(picture)
        case "equalize":
            return ImageOps.equalize(picture)
        case "solarize":
            return ImageOps.solarize(picture, 256 * (1 - level))
        case "posterize":
            return ImageOps.posterize(picture, 8 - round(4 * level))
        case "colour":
            return ImageEnhance.Color(picture).enhance(factor)
        case "contrast":
            return ImageEnhance.Contrast(picture).enhance(factor)
        case "brightness":
            return ImageEnhance.Brightness(picture).enhance(factor)
        case "sharpness":
            return ImageEnhance.Sharpness(picture).enhance(factor)
    width, height = picture.size
    if change == "rotate":
        return picture.rotate(sign * 30 * level, Image.Resampling.BILINEAR)
    bound = sign * level
    coefficients = {  # from a pixel of the result to its origin; shears leave the centre where it is
        "shear_x": (1, -0.3 * bound, 0.3 * bound * height / 2, 0, 1, 0),
        "shear_y": (1, 0, 0, -0.3 * bound, 1, 0.3 * bound * width / 2),
        "translate_x": (1, 0, -0.45 * bound * width, 0, 1, 0),
        "translate_y": (1, 0, 0, 0, 1, -0.45 * bound * height),
    }[change]
    return picture.transform(picture.size, Image.Transform.AFFINE, coefficients, Image.Resampling.BILINEAR)


def by_rand_augment(change: str, image: np.ndarray, level: float, sign: int) -> np.ndarray:
    """What the layer makes of an image when it draws this change and this sign."""

    class Drawn(RandAugment):
        def whole(self, images: keras.KerasTensor, low: int, high: int) -> keras.KerasTensor:
            return keras.ops.full((len(images),), CHANGES.index(change), dtype="int32")

        def draw(self, images: keras.KerasTensor, low: float, high: float) -> keras.KerasTensor:
            return keras.ops.full((len(images),), 0.0 if sign < 0 else 1.0)

    layer = Drawn(1, 10 * level, seed=0)
    return np.asarray(layer(image[None].astype("float32"), training=True))[0]


@pytest.mark.parametrize(("level", "sign"), [(0.3, 1), (0.8, -1)])
@pytest.mark.parametrize("change", CHANGES)
def test_every_change_of_rand_augment_is_pillows(change: str, level: float, sign: int) -> None:
    for name, image in REAL.items():
        picture = Image.fromarray(image if image.shape[-1] == 3 else image[..., 0])
        expected = np.asarray(by_pillow(change, picture, level, sign), "float32").reshape(image.shape)
        apart = np.abs(by_rand_augment(change, image, level, sign) - expected)
        if change in GEOMETRIC:  # the outermost half pixel fades to black, which in Pillow ends abruptly
            white = by_rand_augment(change, np.full_like(image, 255), level, sign)
            faded = (white > 0.01) & (white < 254.99)
            assert faded.mean() < 0.45, name  # two rows and columns of eight
            apart[faded] = 0
        assert apart.max() <= ROUNDING, name


def test_rand_augment_changes_images_in_different_ways() -> None:
    """Of forty images each draws one of fourteen changes; `identity` leaves about three as they are."""
    after = np.asarray(RandAugment(1, 9, seed=1)(IMAGES, training=True))
    same = np.isclose(after, IMAGES, atol=1e-2).all(axis=(1, 2, 3)).sum()
    assert len(CHANGES) == 14
    assert 1 <= same <= 14  # on noise of full contrast auto_contrast does nothing either
    assert (after.min(), after.max()) >= (0, 0)
    assert after.max() <= 255.01


def test_rand_augment_takes_grey_images() -> None:
    assert RandAugment(2, 5, seed=0)(IMAGES[..., :1], training=True).shape == (40, 16, 16, 1)
