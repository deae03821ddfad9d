"""Configs: everything one training depends on, in parts.

The dotted names (`optimizer.learning_rate`) are the same in YAML, in `--set`, in MLflow's params and in the
columns of the Compare page.
"""

from core.config.experiment import (
    ConfigError,
    ExperimentConfig,
    from_mapping,
    from_yaml,
    is_older,
    parse_assignments,
    tree_of,
)
from core.config.learning import (
    PRECISIONS,
    OptimizerConfig,
    RegularizationConfig,
    ScheduleConfig,
    TrainingConfig,
)
from core.config.parts import (
    DEFAULT_PREPROCESSING,
    FILLS,
    FREEZES,
    HEADS,
    IMBALANCE,
    KEEP_TOGETHER,
    TEST_TIME,
    AugmentationConfig,
    DataConfig,
    ModelConfig,
)
from core.system.text import as_number, as_text

__all__ = [
    "DEFAULT_PREPROCESSING",
    "FILLS",
    "FREEZES",
    "HEADS",
    "IMBALANCE",
    "KEEP_TOGETHER",
    "PRECISIONS",
    "TEST_TIME",
    "AugmentationConfig",
    "ConfigError",
    "DataConfig",
    "ExperimentConfig",
    "ModelConfig",
    "OptimizerConfig",
    "RegularizationConfig",
    "ScheduleConfig",
    "TrainingConfig",
    "as_number",
    "as_text",
    "from_mapping",
    "from_yaml",
    "is_older",
    "parse_assignments",
    "tree_of",
]
