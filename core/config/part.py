"""The base of the parts of a config: closed pydantic models, some of which choose an entry of a registry."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, ClassVar, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationInfo, create_model, field_validator, model_validator

from core.components import Component, Setting, settings_of
from core.registry import Registry
from core.system.text import shortened

P = TypeVar("P", bound="ComponentPart")
CONTROL_CHARACTERS = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")


class Part(BaseModel):
    """A frozen part of the config that refuses unknown settings."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    @field_validator("*", mode="after")
    @classmethod
    def _text_is_printable(cls, value: Any, info: ValidationInfo) -> Any:
        for text in value.values() if isinstance(value, dict) else (value,):
            if isinstance(text, str) and CONTROL_CHARACTERS.search(text):
                raise ValueError(
                    f"{info.field_name} must have no control characters. Received: {shortened(text)}."
                )
        return value


class ComponentPart(Part):
    """Settings that choose one entry of a registry by its name, and what the entries read.

    Attributes:
        registry: the entries.
        part: name of this part of the config, as `optimizer`.
        chooser: name of the setting that chooses.
        otherwise: for a value that is no entry's name, the entry that it stands for.
        settings: of all entries, by name.
    """

    registry: ClassVar[Registry[Any]]
    part: ClassVar[str]
    chooser: ClassVar[str] = "name"
    otherwise: ClassVar[Mapping[str, str]] = {}
    settings: ClassVar[Mapping[str, Setting]] = {}

    @property
    def component(self) -> Any:
        """The entry that is chosen, or stands for what is chosen."""
        name = getattr(self, self.chooser)
        return self.registry.get(self.otherwise.get(name, name))

    @property
    def values(self) -> dict[str, Any]:
        """The settings that the chosen entry reads, defaults filled in."""
        return self.component.values(self._given())

    @property
    def resolved(self) -> dict[str, Any]:
        """The settings of all entries; in place of None what is used, or the default where none reads it."""
        found = {name: setting.default for name, setting in self.settings.items()}
        given = {name: value for name, value in self._given().items() if value is not None}
        return found | given | self.values

    def _given(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.settings}

    @model_validator(mode="after")
    def _settings_fit_together(self: P) -> P:
        for entry in self.registry:
            if entry.check is not None:
                entry.check(entry.values(self._given()))
        for name in self.component.required:
            if not getattr(self, name):
                raise ValueError(
                    f"{self.part}.{name} must not be empty with {self.part}.{self.chooser} "
                    f"{self.component.name}. Received: ''."
                )
        return self


def with_components(cls: type[P]) -> type[P]:
    """Add the names of the entries, and a field for each of their settings, to a part of the config.

    A setting whose default depends on the entry is None until it is chosen.
    """
    entries: list[Component] = list(cls.registry)
    names = (*cls.otherwise, *(entry.name for entry in entries))
    fields: dict[str, Any] = {cls.chooser: (Literal[names], cls.model_fields[cls.chooser].default)}
    settings = settings_of(entries)
    if taken := sorted(settings.keys() & cls.model_fields):
        raise ValueError(f"A {cls.registry.kind} must not define '{taken[0]}', a setting that all share.")
    for name, setting in settings.items():
        varies = any(name in entry.defaults for entry in entries)
        fields[name] = (setting.annotation | None, None) if varies else (setting.annotation, setting.default)
    model = create_model(cls.__name__, __base__=cls, __module__=cls.__module__, __doc__=cls.__doc__, **fields)
    model.settings = settings
    return model
