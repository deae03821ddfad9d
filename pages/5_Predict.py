"""Predict: images through the models of finished runs, side by side; for stakeholders large and bare."""

from core.ui.common.frame import open_page
from core.ui.predict import demo
from core.ui.predict.page import page

ICON = ":material/image_search:"

if demo.is_demo():
    with open_page(demo.TITLE, demo.SUBTITLE, bare=True) as store:
        demo.demo(store)
else:
    with open_page("Predict", "See what trained models say of an image.") as store:
        page(store)
