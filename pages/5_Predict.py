"""Predict: one image through the model of a finished run."""

from core.ui.common import stored_predictions
from core.ui.common.choose import choose_run
from core.ui.common.frame import open_page
from core.ui.predict.panels import demo

ICON = ":material/image_search:"

with open_page("Predict", "Classify an image with a trained model.") as store:
    run_id = choose_run(
        stored_predictions.predicting_runs(),
        "Model of a finished run",
        stored_predictions.why_it_cannot_predict,
    )
    if run_id:
        demo(store, run_id)
