"""Predict: one image through a finished net."""

from core.ui.common import reads
from core.ui.common.choose import choose_run
from core.ui.common.frame import open_page
from core.ui.predict import panels as predict

ICON = ":material/image_search:"

with open_page("Predict", "Classify an image with a trained model.") as store:
    run_id = choose_run(reads.predicting_runs(), "Model of a finished run", reads.why_it_cannot_predict)
    if run_id:
        predict.demo(store, run_id)
