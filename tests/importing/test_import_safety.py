"""An import that is refused, cancelled, killed or crashes leaves what was there before, and nothing else."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import pytest
from PIL import Image

from core import datasets
from core.datasets import drafts, store
from core.datasets.drafts import DRAFT, REPLACED, draft
from core.importing import notes as import_notes
from core.importing.importer import ImportCancelled, ImportRefused, import_images, remove
from core.registry import UnknownName
from core.system.settings import PROGRAM, NotAllowed, get_settings


def test_a_name_is_replaced_only_when_asked(photos):
    photos.pair()
    first = import_images("x", photos.root)
    photos.add("cat/more.png")
    with pytest.raises(ImportRefused, match="A dataset named 'x' exists"):
        import_images("x", photos.root)
    assert datasets.info("x") == first
    assert import_images("x", photos.root, replace=True).size == first.size + 1


def test_a_failed_replacement_keeps_the_old_dataset(photos, tmp_path):
    photos.pair()
    first = import_images("x", photos.root)
    for path in photos.root.rglob("*.png"):
        path.write_bytes(b"no image")
    with pytest.raises(ImportRefused):
        import_images("x", photos.root, replace=True)
    assert datasets.info("x") == first
    assert len(datasets.load("x").images) == first.size


def test_cancelling_leaves_nothing(photos, nothing_written):
    photos.pair()
    with pytest.raises(ImportCancelled, match="nothing was written"):
        import_images("x", photos.root, cancelled=lambda: True)
    nothing_written()


def test_a_page_that_is_left_during_the_import_leaves_nothing(photos, nothing_written):
    class Rerun(BaseException):
        """As Streamlit ends a script: out of the call that draws the progress."""

    def draw(*_: object) -> None:
        raise Rerun

    photos.pair()
    with pytest.raises(Rerun):
        import_images("x", photos.root, progress=draw)
    nothing_written()


def test_a_killed_import_leaves_nothing_that_lasts(photos, home, nothing_written):
    photos.pair()
    started = (
        "import os, sys\nfrom core.importing.importer import import_images\n"
        "import_images('x', sys.argv[1], progress=lambda *_: os.kill(os.getpid(), 9))"
    )
    killed = subprocess.run([sys.executable, "-c", started, str(photos.root)], cwd=PROGRAM, check=False)
    assert killed.returncode == -signal.SIGKILL
    assert list((home / "datasets").glob(DRAFT + "*"))
    assert "x" not in datasets.names()
    import_images("y", photos.root)
    assert store.stored_names() == ["y"]
    remove("y")
    nothing_written()


def test_workers_end_with_the_process_that_started_them(photos):
    import psutil

    photos.pair()
    started = (
        "import sys, psutil\nfrom core.importing.importer import import_images\n"
        "def told(*_):\n"
        "    print(*[child.pid for child in psutil.Process().children()], flush=True)\n"
        "    import time; time.sleep(60)\n"
        "import_images('x', sys.argv[1], progress=told, workers=1)"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", started, str(photos.root)], cwd=PROGRAM, stdout=subprocess.PIPE, text=True
    )
    workers = [int(pid) for pid in process.stdout.readline().split()]
    process.kill()
    process.communicate()
    deadline = time.monotonic() + 10
    while any(psutil.pid_exists(pid) for pid in workers) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not [pid for pid in workers if psutil.pid_exists(pid)]


def test_a_sweep_spares_an_import_that_is_running(photos):
    photos.pair()
    with draft("slow", overwrite=False) as folder:
        import_images("quick", photos.root)
        assert folder.is_dir()
        (folder / store.MANIFEST).write_text("{}")
    assert store.stored_names() == ["quick", "slow"]


def test_a_replacement_killed_halfway_brings_the_old_dataset_back(photos, home):
    photos.pair()
    first = import_images("x", photos.root)
    (home / "datasets" / "x").rename(home / "datasets" / (REPLACED + "x"))
    import_images("y", photos.root)
    assert datasets.info("x") == first


@pytest.mark.slow
@pytest.mark.parametrize(
    ("limit", "said"),
    [
        ("MEMORY = 192 << 20", "needs more memory than an image may take"),  # 4 bytes a pixel are 256 MB
        ("CPU_S = 0", "takes too much of a processor's time to decode"),
    ],
)
def test_an_image_beyond_the_limits_of_an_import_costs_itself_alone(
    photos, monkeypatch, tmp_path, limit: str, said: str
):
    photos.pair()
    Image.effect_noise((8000, 8000), 64).convert("RGB").save(
        photos.root / "cat" / "large.png", compress_level=1
    )
    script = tmp_path / "core_limited.py"
    script.write_text(f"from core.images import decode_worker\ndecode_worker.{limit}\ndecode_worker.main()\n")
    monkeypatch.setattr("core.images.decode_pool.WORKER", "core_limited")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    info = import_images("x", photos.root)
    assert [tuple(problem) for problem in info.problems] == [("cat/large.png", said)]
    assert info.size == 8


def test_a_decoder_that_crashes_costs_one_image(photos, monkeypatch, tmp_path):
    # Stands for a fault in a C library: the worker ends at once when it meets this file.
    photos.pair()
    photos.write("cat/fatal.png", b"crash")
    script = tmp_path / "core_crash.py"
    script.write_text(
        "import os, runpy, core.images.decode as decode\n"
        "whole = decode.decode_image\n"
        "def fragile(data, target):\n"
        "    return os._exit(11) if data == b'crash' else whole(data, target)\n"
        "decode.decode_image = fragile\n"
        "runpy.run_module('core.images.decode_worker', run_name='__main__')\n"
    )
    monkeypatch.setattr("core.images.decode_pool.WORKER", "core_crash")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    info = import_images("x", photos.root)
    assert [tuple(problem) for problem in info.problems] == [
        ("cat/fatal.png", "ends the decoder (exit status 11)")
    ]
    assert info.size == 8


def test_removing_deletes_the_dataset_and_not_the_images(photos, nothing_written):
    photos.pair()
    import_images("x", photos.root)
    remove("x")
    assert "x" not in datasets.names()
    nothing_written()
    assert len(list(photos.root.rglob("*.png"))) == 8
    with pytest.raises(UnknownName, match="no imported dataset 'x'"):
        remove("x")


def test_a_read_only_server_neither_imports_nor_removes(photos, monkeypatch):
    photos.pair()
    import_images("x", photos.root)
    monkeypatch.setenv("ARCHLAB_ROLE", "viewer")
    get_settings.cache_clear()
    with pytest.raises(NotAllowed, match="may not import"):
        import_images("y", photos.root)
    with pytest.raises(NotAllowed, match="may not remove"):
        remove("x")
    assert "x" in datasets.names()


def test_long_lists_of_problems_are_shortened(photos, monkeypatch):
    monkeypatch.setattr(import_notes, "MAX_PROBLEMS", 2)
    photos.pair()
    for number in range(5):
        photos.write(f"cat/bad{number}.png", b"x")
    problems = import_images("x", photos.root).problems
    assert len(problems) == 3
    assert problems[-1].reason == "and 3 more files were not imported"


def test_the_datasets_folder_that_cannot_be_written_is_named(photos, home, monkeypatch):
    photos.pair()
    home.mkdir()
    (home / "datasets").write_text("a file where the folder should be")
    with pytest.raises(ImportRefused, match=f"The folder {home / 'datasets'} cannot be written: File exists"):
        import_images("x", photos.root)


def test_a_read_only_datasets_folder_is_refused(photos, home, monkeypatch):
    photos.pair()

    def refuse(*_: object, **__: object) -> None:  # as a read-only disk answers, also to root
        raise OSError(30, os.strerror(30))

    monkeypatch.setattr(drafts.tempfile, "mkdtemp", refuse)
    with pytest.raises(ImportRefused, match="cannot be written: Read-only file system"):
        import_images("x", photos.root)


def test_a_home_below_a_file_is_refused(photos, tmp_path, monkeypatch):
    photos.pair()
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("ARCHLAB_HOME", str(tmp_path / "file" / "home"))
    get_settings.cache_clear()
    with pytest.raises(ImportRefused, match="cannot be written: Not a directory"):
        import_images("x", photos.root)


@pytest.mark.parametrize("name", ["", ".", "..", "../x", "a/b", "/x", "a b", "x\n", ".hidden", "ü", "x" * 65])
def test_a_name_is_never_a_path(photos, nothing_written, name):
    photos.pair()
    with pytest.raises(ImportRefused, match="1 to 64 letters, digits"):
        import_images(name, photos.root)
    nothing_written()


def test_a_name_of_the_program_is_not_taken(photos):
    photos.pair()
    with pytest.raises(ImportRefused, match="'digits' belongs to a dataset that ships with the program"):
        import_images("digits", photos.root, replace=True)


def test_sources_that_are_no_sources_are_refused(photos, tmp_path, nothing_written):
    file = photos.write("notes.zip", b"this is no archive")
    with pytest.raises(ImportRefused, match="There is no folder or file"):
        import_images("x", tmp_path / "missing")
    with pytest.raises(ImportRefused, match=r"zip archive or a table .*Received: the file notes\.zip"):
        import_images("x", file)
    with pytest.raises(ImportRefused, match="holds no image in a class folder"):
        import_images("x", photos.root)
    nothing_written()


def test_refusals_are_one_sentence_without_a_line_break(photos):
    photos.add("cat\nly/1.png", "cat\nly/2.png")
    with pytest.raises(ImportRefused) as refused:
        import_images("x", photos.root)
    assert "\n" not in str(refused.value)
