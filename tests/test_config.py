"""A config survives YAML, and refuses what cannot be in one sentence that names setting, rule and value."""

import pytest

from core.config import ConfigError, ExperimentConfig, from_yaml, parse_assignments


def test_config_to_yaml_and_back() -> None:
    config = ExperimentConfig().with_values(
        {
            "name": "Über: #1 'quoted'",
            "seed": 7,
            "model.name": "resnet_cifar",
            "model.options.depth": 8,
            "model.options.shortcut": "projection",
            "optimizer.learning_rate": 1e-5,
            "augmentation.horizontal_flip": True,
        }
    )
    assert from_yaml(config.to_yaml()) == config


def test_missing_settings_take_their_defaults() -> None:
    assert from_yaml("") == ExperimentConfig()
    assert from_yaml("training: {epochs: 3}").training.batch_size == ExperimentConfig().training.batch_size


def test_flat_names_are_the_dotted_names() -> None:
    flat = ExperimentConfig().with_values({"model.options.depth": 8}).flat()
    assert flat["optimizer.learning_rate"] == 0.001
    assert flat["model.options.depth"] == 8


def test_config_is_frozen() -> None:
    with pytest.raises(ValueError, match="frozen"):
        ExperimentConfig().seed = 3  # type: ignore[misc]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("optimizer: {learning_rate: -1}", "optimizer.learning_rate must be greater than 0. Received: -1."),
        (
            "optimizer: {learning_rate: .inf}",
            "optimizer.learning_rate must be a finite number. Received: inf.",
        ),
        ("training: {epochs: 1.5}", "training.epochs must be a whole number. Received: 1.5."),
        ("training: {epochs: 0}", "training.epochs must be at least 1. Received: 0."),
        ("data: {validation_fraction: 0.6}", "data.validation_fraction must be at most 0.5. Received: 0.6."),
        (
            "schedule: {name: magic}",
            "schedule.name must be 'constant', 'cosine', 'exponential', ",
        ),
        ("model: {name: ../../etc}", "model.name must be letters, digits and the signs _ . + -."),
        ("optimiser: {name: adam}", "Unknown setting 'optimiser'."),
        ("- adam", "A config must be a mapping of settings. Received: list."),
        ("a: [", "The config is not valid YAML in line 1."),
        ("training: 3", "training must be a mapping of settings. Received: 3."),
        (
            "model: {options: {depth: [1]}}",
            "model.options.depth must be true, false, a number or a word. Received: [1].",
        ),
        ("name: 2024", "name must be text. Received: 2024."),
        ('name: "a\\x00b"', "name must have no control characters."),
        ("[" * 3000, "The config nests lists and mappings deeper than 20 in line 1."),
        ("training: {epochs: !!int ''}", "The config contains a malformed int in line 1."),
        (
            "training: {epochs: 99999999999999999999}",
            "The config contains a whole number of more than 64 bits",
        ),
        ("model: {options: &a {b: *a}}", "The config has the alias *a in its own list in line 1."),
        ("a: &a [x, x]\nb: &b [*a, *a]", "Unknown setting 'a'."),
        ("schedule: {warmup_epochs: 1.0e+308}", "schedule.warmup_epochs must be at most 100000."),
        (
            "schedule: {name: cosine, restarts: 100, restart_growth: 10}",
            "schedule.restart_growth to the power of schedule.restarts must be at most 100,000,000",
        ),
    ],
)
def test_bad_config_is_refused_in_one_sentence(text: str, sentence: str) -> None:
    with pytest.raises(ConfigError) as error:
        from_yaml(text)
    assert str(error.value).startswith(sentence)
    assert "\n" not in str(error.value)


def test_assignments_are_read_as_yaml() -> None:
    assert parse_assignments(["optimizer.learning_rate=1e-2", "a.b=true", "c=adam", "d=3"]) == {
        "optimizer.learning_rate": 0.01,
        "a.b": True,
        "c": "adam",
        "d": 3,
    }
    with pytest.raises(ConfigError, match=r"name=value. Received: 'epochs'"):
        parse_assignments(["epochs"])
