"""Checks before a launch whether a user-defined model may be trained.

The prediction process builds and checks the model. `problem` records on disk which versions passed, but no
refusals: a full disk or a lack of memory may have caused them.
"""

from __future__ import annotations

import hashlib
import json
from contextlib import suppress

from core.architectures import Shape, architectures
from core.architectures.classifier_output import ModelError
from core.config import ModelConfig
from core.inference import client
from core.inference.descriptions import code_version, own_code
from core.inference.messages import CheckModel
from core.registry import UnknownName
from core.system.settings import Settings


def problem(
    settings: Settings, model: ModelConfig, image_shape: Shape, num_classes: int, preprocessing: str
) -> str:
    """Return a sentence that says why the model must not be trained; empty where it may.

    Architectures of the program are not checked. Raises InferenceError when the prediction process does not
    answer.
    """
    file = architectures.origin(model.name)
    if file is None:
        return ""
    plain = ModelConfig(**model.model_dump(include={"name", "options", "head", "resize"}))
    depends_on = [plain.model_dump(), image_shape, num_classes, preprocessing, code_version(), own_code(file)]
    name = hashlib.sha256(json.dumps(depends_on, sort_keys=True).encode()).hexdigest()[:32]
    path = settings.cache / "model_checks" / f"{name}.txt"
    if path.exists() and not path.read_bytes():  # older versions kept refusals too
        return ""
    found = client.check_model(settings, plain, image_shape, num_classes, preprocessing)
    if not found:
        with suppress(OSError):  # on a full disk the next launch checks again
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(b"")
    return found


def check(request: CheckModel) -> str:
    """Build the model and check it, in the prediction process; returns what `problem` returns."""
    import keras

    from core.architectures.model_check import check_own_model
    from core.architectures.transfer import assemble

    name = request.model.name
    try:
        built = assemble(request.model, request.image_shape, request.num_classes)
        check_own_model(name, built, request.preprocessing)
    except UnknownName:
        raise
    except ModelError as error:
        return str(error)
    except Exception as error:  # code of the model's author
        return f"{name} cannot be built: {' '.join(str(error).split()) or type(error).__name__}"
    finally:
        keras.backend.clear_session()
    return ""
