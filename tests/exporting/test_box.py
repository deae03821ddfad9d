"""A box proves itself where nothing but onnxruntime is installed, and notices a model that is another one."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import urllib.error
import urllib.request
import zipfile
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import numpy_helper
from PIL import Image

from core.exporting.checked import export
from core.images.decode import decode_image
from core.images.target import Target
from core.tracking.store import get_store
from tests.support.boxes import run_bare
from tests.support.homes import Trained, using

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]  # processes of their own import TensorFlow


@pytest.fixture(scope="module")
def box(_trained: Trained, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The unpacked box of the trained run."""
    folder = tmp_path_factory.mktemp("box")
    with using(_trained.settings.home):
        report = export(get_store(), _trained.run_id, "box", folder)
    assert report.difference is not None
    assert report.difference < 1e-4
    with zipfile.ZipFile(folder / "box.zip") as archive:
        archive.extractall(folder / "unpacked")
    return folder / "unpacked"


def test_it_passes_where_only_onnxruntime_is_installed(
    trained: Trained, box: Path, bare_onnxruntime: Path
) -> None:
    assert not (bare_onnxruntime / "PIL").exists()
    done = run_bare(box / "check.py", bare_onnxruntime)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("ok: 20 images, the largest difference of a probability is ")
    assert {path.name for path in box.iterdir()} == {
        *("model.onnx", "facts.json", "expected.npz", "requirements.txt", "CARD.md", "images"),
        *("model.py", "check.py", "app.py"),
    }
    facts = json.loads((box / "facts.json").read_text())
    assert facts["classes"] == [str(digit) for digit in range(10)]
    assert len(facts["answer_from"]) == 10
    assert "of 20 without a person" in done.stdout
    card = (box / "CARD.md").read_text()
    assert "test accuracy" in card
    assert "## When it answers" in card


def test_it_notices_another_model(
    trained: Trained, box: Path, bare_onnxruntime: Path, tmp_path: Path
) -> None:
    for path in box.iterdir():
        (tmp_path / path.name).symlink_to(path)
    (tmp_path / "model.onnx").unlink()
    (tmp_path / "check.py").unlink()
    (tmp_path / "model.py").unlink()
    for name in ("check.py", "model.py"):  # they look beside themselves
        (tmp_path / name).write_text((box / name).read_text())
    model = onnx.load(box / "model.onnx")
    largest = max(model.graph.initializer, key=lambda one: np.prod(one.dims))
    largest.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(largest) * 1.01, largest.name))
    onnx.save(model, tmp_path / "model.onnx")
    done = run_bare(tmp_path / "check.py", bare_onnxruntime)
    assert done.returncode == 1
    assert done.stdout.startswith("DIFFERENT: 20 images")


def test_files_are_read_as_this_program_reads_them(trained: Trained, box: Path, tmp_path: Path) -> None:
    """Alone in its process: the box has a module named `model`."""
    random = np.random.default_rng(1)
    images = {
        "grey": Image.fromarray(random.integers(0, 256, (40, 31), dtype="uint8")),
        "colour": Image.fromarray(random.integers(0, 256, (33, 60, 3), dtype="uint8")),
        "transparent": Image.fromarray(random.integers(0, 256, (30, 30, 4), dtype="uint8")),
        "palette": Image.fromarray(random.integers(0, 256, (30, 41, 3), dtype="uint8")).quantize(16),
    }
    facts = json.loads((box / "facts.json").read_text())
    code = (
        "import sys; sys.path.insert(0, sys.argv[1]); import numpy, model; m = model.Model()\n"
        "m.facts['policy'] = sys.argv[2]; m.shape = tuple(map(int, sys.argv[3].split(',')))\n"
        "numpy.savez(sys.argv[4], *[m.read(path) for path in sys.argv[5:]])"
    )
    paths = []
    for name, image in images.items():
        paths.append(tmp_path / f"{name}.png")
        image.save(paths[-1])
    turned = Image.Exif()
    turned[0x0112] = 6
    paths.append(tmp_path / "turned.jpg")
    images["colour"].save(paths[-1], exif=turned, quality=95)
    assert facts["policy"] == "stretch"
    for policy, shape in (("stretch", (28, 28, 1)), ("pad", (20, 24, 3)), ("crop", (16, 9, 3))):
        given = [str(box), policy, ",".join(map(str, shape)), str(tmp_path / "read.npz"), *map(str, paths)]
        subprocess.run([sys.executable, "-c", code, *given], check=True, timeout=240)
        with np.load(tmp_path / "read.npz") as found:
            for path, pixels in zip(paths, found.values(), strict=True):
                expected = decode_image(path.read_bytes(), Target(*shape, policy)).pixels
                assert np.array_equal(pixels, expected), (path.name, policy)


def test_its_page_answers_an_image_and_refuses_what_is_none(trained: Trained, box: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-B", "app.py", "0"], cwd=box, stdout=subprocess.PIPE, text=True
    ) as server:
        try:
            assert server.stdout is not None
            address = server.stdout.readline().strip()
            names = json.loads(urllib.request.urlopen(f"{address}/samples", timeout=60).read())
            assert len(names) == 20
            assert b"<title>Try the model" in urllib.request.urlopen(address, timeout=60).read()
            image = urllib.request.urlopen(f"{address}/images/{names[0]}", timeout=60).read()
            with np.load(box / "expected.npz") as expected:
                assert np.array_equal(
                    np.asarray(Image.open(io.BytesIO(image))), expected["images"][0][..., 0]
                )
                best = int(expected["probabilities"][0].argmax())
            found = json.loads(urllib.request.urlopen(f"{address}/predict", image, timeout=60).read())
            assert found["class"] == str(best)
            assert found["decision"] in ("answered", "not sure", "ask a person")
            for path, body in (("/predict", b"no image"), ("/images/../facts.json", None)):
                with pytest.raises(urllib.error.HTTPError):
                    urllib.request.urlopen(f"{address}{path}", body, timeout=60)
        finally:
            server.kill()
