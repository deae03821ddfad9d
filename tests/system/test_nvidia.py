"""What nvidia-smi prints, in the formats of its three answers, and what CUDA_VISIBLE_DEVICES leaves of it."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from core.config import TrainingConfig
from core.jobs.slots import Slots, limit
from core.system import devices, gpu_check, nvidia
from core.system.nvidia import Gpu
from core.system.settings import Settings

A100, H100 = "GPU-e86cb44c-6756-fd30-cd4a-1e6da3caf9b0", "GPU-8932f937-d72c-4106-c12f-20bd9faed9f6"
FIRST, SECOND = "MIG-c7384736-a75d-5afc-978f-d2f1294409fd", "MIG-a28ad590-3fda-56dd-84fc-0a0b96edc58d"

# nvidia-smi --query-gpu=... --format=csv,noheader,nounits of a machine with a divided and a whole GPU
CSV = f"""0, {A100}, NVIDIA A100-SXM4-40GB, 40960, 45, [N/A], 535.104.05, Enabled
1, {H100}, NVIDIA H100 80GB HBM3, 81559, 517, 97, 535.104.05, Disabled
"""

LIST = f"""GPU 0: NVIDIA A100-SXM4-40GB (UUID: {A100})
  MIG 3g.20gb     Device  0: (UUID: {FIRST})
  MIG 1g.5gb      Device  1: (UUID: {SECOND})
GPU 1: NVIDIA H100 80GB HBM3 (UUID: {H100})
"""

XML = """<?xml version="1.0" ?>
<!DOCTYPE nvidia_smi_log SYSTEM "nvsmi_device_v12.dtd">
<nvidia_smi_log>
  <driver_version>535.104.05</driver_version>
  <attached_gpus>2</attached_gpus>
  <gpu id="00000000:07:00.0">
    <mig_mode><current_mig>Enabled</current_mig><pending_mig>Enabled</pending_mig></mig_mode>
    <mig_devices>
      <mig_device>
        <index>0</index>
        <gpu_instance_id>2</gpu_instance_id>
        <compute_instance_id>0</compute_instance_id>
        <fb_memory_usage>
          <total>19968 MiB</total><reserved>0 MiB</reserved><used>25 MiB</used><free>19942 MiB</free>
        </fb_memory_usage>
      </mig_device>
      <mig_device>
        <index>1</index>
        <gpu_instance_id>9</gpu_instance_id>
        <compute_instance_id>0</compute_instance_id>
        <fb_memory_usage><total>4864 MiB</total><used>N/A</used></fb_memory_usage>
      </mig_device>
    </mig_devices>
    <fb_memory_usage><total>40960 MiB</total><used>45 MiB</used></fb_memory_usage>
  </gpu>
  <gpu id="00000000:0B:00.0">
    <mig_devices>None</mig_devices>
    <fb_memory_usage><total>81559 MiB</total><used>517 MiB</used></fb_memory_usage>
  </gpu>
</nvidia_smi_log>
"""


@pytest.fixture
def driver(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A program in the place of nvidia-smi: each question is answered by the file of its name, or refused."""
    folder = tmp_path / "driver"
    folder.mkdir()
    tool = folder / "nvidia-smi"
    tool.write_text(
        '#!/bin/sh\ncase "$*" in *mig.mode*) name=mig;; *query-gpu*) name=csv;; -L) name=list;;\n'
        "*) name=xml;; esac\n"
        f"test -f {folder}/$name && exec cat {folder}/$name\n"
        'echo "Field is not a valid field to query."; exit 2\n'
    )
    tool.chmod(0o755)
    for name, text in {"mig": CSV, "list": LIST, "xml": XML}.items():
        (folder / name).write_text(text)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    devices.gpu_numbers.cache_clear()
    yield folder
    devices.gpu_numbers.cache_clear()


def test_a_divided_gpu_is_its_instances(driver: Path) -> None:
    first, second, whole = devices.gpus()
    assert (first.device, first.number, first.name) == (FIRST, "0:0", "NVIDIA A100-SXM4-40GB MIG 3g.20gb")
    assert (first.memory_total, first.memory_used, first.utilisation) == (19968, 25, None)
    assert (second.device, second.number, second.memory_total) == (SECOND, "0:1", 4864)
    assert whole == Gpu(1, "NVIDIA H100 80GB HBM3", 81559, 517, 97, H100, "535.104.05")
    assert devices.slots(0) == [FIRST, SECOND, "1"]
    assert devices.free_memory(FIRST) == (19968 - 25) << 20
    assert devices.device_environment(FIRST, 1)["CUDA_VISIBLE_DEVICES"] == FIRST
    assert "GPU 0:1 NVIDIA A100-SXM4-40GB MIG 1g.5gb: use not known, 0.0 of 5 GiB" in devices.summary()
    assert devices.summary().endswith("97 % busy, 0.5 of 80 GiB · driver 535.104.05")


def test_several_devices_are_whole_gpus() -> None:
    """CUDA shows a process one MIG instance at most, and no other GPU beside it."""
    assert limit([FIRST, SECOND, "1", "cpu"]) == 1
    assert Slots([FIRST, SECOND, "1", "2"]).take(2) == ["1", "2"]
    assert Slots([FIRST, "1"]).take(1) == [FIRST]


@pytest.mark.parametrize(
    ("allowed", "left"),
    [
        (None, [FIRST, SECOND, "1"]),
        ("1", ["1"]),
        ("0", [FIRST, SECOND]),
        (A100, [FIRST, SECOND]),
        (H100[:12], ["1"]),
        (f"{SECOND},1", [SECOND, "1"]),
        ("1,-1,0", ["1"]),
        ("7,1", []),
        ("", []),
        ("NoDevFiles", []),
    ],
)
def test_what_is_visible_by_number_uuid_and_instance(
    driver: Path, monkeypatch: pytest.MonkeyPatch, allowed: str | None, left: list[str]
) -> None:
    if allowed is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", allowed)
    assert [gpu.device for gpu in devices.gpus()] == left
    if not left:
        assert devices.summary().endswith("no GPU (3 hidden by CUDA_VISIBLE_DEVICES)")


def test_instances_of_an_older_driver_have_names_with_slashes() -> None:
    old = f"GPU 0: A100 (UUID: {A100})\n  MIG 1g.5gb Device 0: (UUID: MIG-{A100}/7/0)\n"
    assert nvidia.parse_list(old) == [(0, 0, "1g.5gb", f"MIG-{A100}/7/0")]


def test_a_driver_that_knows_no_mig_still_lists_its_gpus(driver: Path) -> None:
    (driver / "mig").unlink()
    (driver / "csv").write_text(f"0, {H100}, Tesla K80, 11441, 0, 0, 418.87.00\n")
    assert devices.gpus() == [Gpu(0, "Tesla K80", 11441, 0, 0, H100, "418.87.00")]


def test_a_gpu_that_shares_the_memory_of_the_machine(driver: Path) -> None:
    """Its driver reports no memory of its own; what is free is what the machine has."""
    (driver / "mig").write_text(f"0, {H100}, NVIDIA GB10, [N/A], [N/A], [Unknown Error], 580.95.05, [N/A]\n")
    assert devices.gpus() == [Gpu(0, "NVIDIA GB10", 0, 0, None, H100, "580.95.05")]
    assert devices.summary().endswith("NVIDIA GB10: use not known, memory not reported · driver 580.95.05")
    assert devices.free_memory("0") > 1 << 20
    assert devices.gpu_share("0", 2) == 0


def test_trainings_that_share_a_gpu_take_memory_as_they_need_it(driver: Path) -> None:
    shared = devices.device_environment("1", 2)
    assert shared["ARCHLAB_GPU_MEMORY"] == str((81559 - devices.SHARED_MIB) // 2)
    assert shared["XLA_PYTHON_CLIENT_MEM_FRACTION"] == "0.497"  # JAX: its share, 40,523 of 81,559 MiB
    for found in (shared, devices.device_environment("1", 1)):
        assert found["TF_FORCE_GPU_ALLOW_GROWTH"] == "true"
        assert found["XLA_PYTHON_CLIENT_PREALLOCATE"] == "false"
    assert devices.device_environment("cpu", 1) == {"CUDA_VISIBLE_DEVICES": "-1", "JAX_PLATFORMS": "cpu"}


def test_a_tool_that_finds_no_driver_says_what_to_do(driver: Path) -> None:
    assert nvidia.problem() is None
    (driver / "list").write_text("Failed to initialize NVML: Driver/library version mismatch\n")
    assert "restart the machine" in str(nvidia.problem())
    (driver / "list").write_text(
        "NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver. Make sure that the "
        "latest NVIDIA driver is installed and running.\n"
    )
    assert "driver is not loaded" in str(nvidia.problem())
    (driver / "list").write_text("No devices were found\n")
    assert nvidia.problem() is None


NEW, OLD = Gpu(0, "H100", 81559, 0, 0, H100, "580.95.05"), Gpu(0, "T4", 15360, 0, 0, H100, "470.223.02")
NONE_SEEN, ONE_SEEN = 'RESULT ["tensorflow", ["cpu:0"]]\n', 'RESULT ["tensorflow", ["gpu:0"]]\n'
MISSING = (
    "W0000 gpu_device.cc:2342] Cannot dlopen some GPU libraries. Please make sure the missing libraries "
    "mentioned above are installed properly if you would like to use GPU."
    "\nSkipping registering GPU devices...\n"
)
REFUSED = (
    "E0000 cuda_executor.cc:1228] INTERNAL: CUDA Runtime error: Failed call to cudaGetRuntimeVersion: "
    "Error loading CUDA libraries.\nE0000 cuda_platform.cc:52] failed call to cuInit: INTERNAL: CUDA error: "
    "Failed call to cuInit: CUDA_ERROR_UNKNOWN: unknown error\n"
)


@pytest.mark.parametrize(
    ("output", "printed", "gpu", "packages", "environment", "words"),
    [
        (ONE_SEEN, MISSING, NEW, {}, {}, None),
        (NONE_SEEN, MISSING, NEW, {}, {}, "TensorFlow sees no GPU: TensorFlow's CUDA libraries are missing"),
        (NONE_SEEN, "", OLD, {"nvidia-cudnn-cu12": 12}, {}, "driver 470.223.02 is too old for CUDA 12"),
        (NONE_SEEN, "", NEW, {"jax-cuda13-plugin": 13}, {}, "it gave no reason"),
        (NONE_SEEN, REFUSED, NEW, {"nvidia-cudnn-cu12": 12}, {}, "CUDA does not start (cuInit: INTERNAL"),
        ('RESULT ["jax", ["cpu:0"]]\n', "", NEW, {}, {}, 'pip install "jax[cuda13]"'),
        ('RESULT ["jax", ["cpu:0"]]\n', "", NEW, {}, {"JAX_PLATFORMS": "cpu"}, "Unset this variable"),
        ("", "Traceback\nModuleNotFoundError: No module named 'jax'", NEW, {}, {}, "No module named 'jax'"),
    ],
)
def test_why_keras_sees_no_gpu(output, printed, gpu, packages, environment, words) -> None:
    found = gpu_check.verdict(output, printed, [gpu], packages, environment)
    assert (found is None) if words is None else (words in str(found))


@pytest.mark.slow
def test_a_check_is_kept_until_the_driver_changes(driver: Path, settings: Settings) -> None:
    """Here a real one: Keras sees no GPU, because there is none behind the program that lists one."""
    (driver / "mig").write_text(f"0, {H100}, NVIDIA H100 80GB HBM3, 81559, 0, 0, 580.95.05, Disabled\n")
    assert gpu_check.known(settings) is None
    gpu_check.check_if_unknown(settings)
    sentence = gpu_check.known(settings)
    assert str(sentence).startswith("TensorFlow sees no GPU: ")
    file = settings.cache / "gpu_check.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"sentence": "kept"}))
    gpu_check.check_if_unknown(settings)
    assert gpu_check.known(settings) == "kept"
    (driver / "mig").write_text(f"0, {H100}, NVIDIA H100 80GB HBM3, 81559, 0, 0, 590.44.01, Disabled\n")
    assert gpu_check.known(settings) is None


def test_a_training_that_sees_no_gpu_says_so(driver: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from core.training.device import set_up_device

    set_up_device(TrainingConfig(precision="float32"))
    assert "Keras sees none of the 3 GPUs" in capsys.readouterr().out
