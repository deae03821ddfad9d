"""What every entry is made of: its words and its settings."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field

Scalar = bool | int | float | str
Values = Mapping[str, Any]  # of the settings of one entry, by name


def _joined(value: Any) -> Any:
    """A list of numbers, or a single one, as the text that stands for it."""
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return str(value)
    if isinstance(value, Sequence) and not isinstance(value, str):
        return ", ".join(str(item) for item in value)
    return value


Numbers = Annotated[str, BeforeValidator(_joined), Field(max_length=1000)]  # "80, 120, 160"


def numbers(text: str) -> list[float]:
    """Return the numbers of a comma-separated text. Raises ValueError where an item is not a number."""
    return [float(one) for one in text.split(",") if one.strip()]


@dataclass(frozen=True)
class Setting:
    """One setting of an entry. Entries that share a setting name the same object.

    Attributes:
        name: the last word of its dotted name in the config.
        default: its type is the type of the setting.
        label, help: words for the Train form and the documentation.
        gt, ge, lt, le: bounds of a number, exclusive and inclusive.
        choices: the allowed words; empty: any.
        is_list: whether the text is a list of numbers, which a config may also give as a list.
        check: raises ValueError, with the whole sentence, for a value that these rules do not exclude.
    """

    name: str
    default: Scalar
    label: str
    help: str | None = None
    gt: float | None = None
    ge: float | None = None
    lt: float | None = None
    le: float | None = None
    choices: tuple[str, ...] = ()
    is_list: bool = False
    check: Callable[[Any], None] | None = None

    @property
    def annotation(self) -> Any:
        """The type of the setting's field in a pydantic model, with bounds and check."""
        kind: Any = type(self.default)
        if self.choices:
            kind = Literal[self.choices]
        elif self.is_list:
            kind = Numbers
        bounds = Field(gt=self.gt, ge=self.ge, lt=self.lt, le=self.le)
        return Annotated[kind, bounds, AfterValidator(self._checked)]

    @property
    def range(self) -> str:
        """The allowed values in words, for the documentation."""
        if self.choices:
            return " or ".join(self.choices)
        if self.is_list:
            return "numbers, comma-separated"
        if isinstance(self.default, bool):
            return "true or false"
        signs = {"gt": "above", "ge": "at least", "lt": "below", "le": "at most"}
        bounds = {sign: getattr(self, rule) for rule, sign in signs.items()}
        return ", ".join(f"{sign} {bound:g}" for sign, bound in bounds.items() if bound is not None) or "any"

    def _checked(self, value: Any) -> Any:
        if self.check is not None:
            self.check(value)
        return value


@dataclass(frozen=True, kw_only=True)
class Component:
    """One way to do a step of training, chosen by its name in the config.

    Attributes:
        name: as configs, parameters and addresses write it.
        summary: one sentence for the form, the command line and the documentation.
        settings: what the entry reads.
        defaults: by the name of a setting, where the entry's default is another than the setting's own.
        required: settings that must not be empty where the entry is chosen.
        check: raises ValueError for values of its settings that do not fit together; called for every config,
            whichever entry is chosen.
    """

    name: str
    summary: str
    settings: tuple[Setting, ...] = ()
    defaults: Mapping[str, Scalar] = field(default_factory=dict)
    required: tuple[str, ...] = ()
    check: Callable[[Values], None] | None = None

    def default(self, setting: Setting) -> Scalar:
        """Return the value of a setting that nobody has chosen."""
        return self.defaults.get(setting.name, setting.default)

    def values(self, chosen: Values | None = None) -> dict[str, Any]:
        """Return a value for each setting: what was chosen, or the default where that is None."""
        found = {}
        for setting in self.settings:
            value = (chosen or {}).get(setting.name)
            found[setting.name] = self.default(setting) if value is None else value
        return found


def settings_of(entries: Iterable[Component]) -> dict[str, Setting]:
    """Return the settings of all entries by name.

    Raises:
        ValueError: two entries define a setting of the same name differently.
    """
    found: dict[str, Setting] = {}
    for entry in entries:
        for setting in entry.settings:
            if found.setdefault(setting.name, setting) != setting:
                raise ValueError(
                    f"The setting '{setting.name}' of '{entry.name}' is defined differently by another entry."
                )
    return found
