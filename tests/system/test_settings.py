"""Settings come from the environment; what cannot be used is said in one sentence."""

import tomllib
from pathlib import Path

import pytest

from core.serve import check_port
from core.system.settings import PROGRAM, NotAllowed, Settings, SettingsError, from_environment


def test_home_decides_where_everything_lies(empty_home: Settings) -> None:
    settings = from_environment()
    assert settings.tracking_uri == f"sqlite:///{empty_home.home}/mlflow.db"
    assert {settings.database.parent, settings.datasets.parent, settings.jobs.parent} == {empty_home.home}


@pytest.mark.parametrize(("variable", "value"), [("ARCHLAB_ROLE", "admin"), ("ARCHLAB_SLOTS", "many")])
def test_bad_value_is_named(
    empty_home: Settings, monkeypatch: pytest.MonkeyPatch, variable: str, value: str
) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(SettingsError, match=f"{variable} must be .* Received: '{value}'"):
        from_environment()


def test_read_only_folder_is_refused_and_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # A file where the folder should be refuses everybody; permissions would not stop root.
    blocked = tmp_path / "file"
    blocked.write_text("")
    monkeypatch.setenv("ARCHLAB_HOME", str(blocked / "home"))
    with pytest.raises(SettingsError, match="cannot be created"):
        from_environment().check_writable()
    assert list(tmp_path.iterdir()) == [blocked]


def test_a_folder_of_own_models_is_named_absolutely(
    empty_home: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert from_environment().architectures is None
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ARCHLAB_ARCHITECTURES", "nets")
    assert from_environment().architectures == tmp_path / "nets"


def test_viewer_may_not_launch(empty_home: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ARCHLAB_ROLE", "viewer")
    with pytest.raises(NotAllowed, match=r"read-only .* may not launch a training"):
        from_environment().require_trainer("launch a training")


def test_the_server_listens_on_this_machine_alone_and_tells_nobody() -> None:
    config = tomllib.loads((PROGRAM / ".streamlit" / "config.toml").read_text())
    assert config["server"]["address"] == "127.0.0.1"
    assert config["browser"]["gatherUsageStats"] is False


def test_port_in_use_is_said_before_anything_starts() -> None:
    import socket

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(SettingsError, match=f"The port {port} on 127.0.0.1 is not free"):
            check_port("127.0.0.1", port)
