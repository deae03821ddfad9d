"""Carries requests out in the prediction process; only here and in what it imports is Keras loaded."""

from __future__ import annotations

from typing import Any

from core.architectures import architectures, check_options
from core.inference.messages import CheckModel, Describe, DescribeTransfer, Preview, Request, Takes
from core.system.fast_keras_import import import_keras
from core.tracking.store import get_store


def handle(request: Request) -> Any:
    """Return the response to a request, of the type `request.response`; `Predict` is left to the server."""
    match request:
        case Takes():
            from core.inference.predictor import takes

            return takes(get_store(), request.run_id)
        case Describe():
            from core.architectures.describe import describe

            check_options(architectures.get(request.name), request.options)
            return describe(
                request.name, request.input_shape, request.num_classes, request.batch_size, **request.options
            )
        case DescribeTransfer():
            from core.architectures.transfer import describe_transfer

            return describe_transfer(
                request.model, request.image_shape, request.num_classes, request.batch_size
            )
        case CheckModel():
            from core.inference.own_models import check

            return check(request)
        case Preview():
            from core.inference.preview import preview

            return preview(get_store(), request)
    raise ValueError(f"Nothing handles the request '{request.do}'.")


def warm_up() -> None:
    """Import Keras and the modules that use it, so that the first request does not wait for them."""
    import_keras()
    import core.inference.predictor
    import core.inference.preview  # noqa: F401
