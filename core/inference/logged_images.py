"""The images that the model of a run takes, as the run logged them."""

from __future__ import annotations

from core.inference.messages import ModelImages
from core.system.records import from_json_values
from core.tracking import schema
from core.tracking.errors import DamagedArtifact
from core.tracking.store import RunStore


def logged_images(store: RunStore, run_id: str) -> ModelImages | None:
    """Return what a run logged in `schema.DATA`; None for a run of another program.

    Another program logs no such file, or one of its own. Raises FileNotFoundError when a run of ArchLab has
    lost its file, DamagedArtifact when it is damaged.
    """
    ours = schema.NUMBER in store.state(run_id).tags
    try:
        found = store.read_json(run_id, schema.DATA)
        try:
            logged = {name: value for name, value in found.items() if value is not None}  # as if left out
            return from_json_values(ModelImages, logged)
        except ValueError as error:
            raise DamagedArtifact(run_id, schema.DATA, error) from error
    except (FileNotFoundError, DamagedArtifact):
        if ours:
            raise
        return None
