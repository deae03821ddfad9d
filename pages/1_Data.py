"""Data: the datasets that exist, what is in them, and how another one comes in."""

from core.ui import data
from core.ui.data_findings import findings_panel
from core.ui.data_import import import_panel
from core.ui.data_looks import looks
from core.ui.frame import open_page

ICON = ":material/photo_library:"

with open_page("Data", "Images to train on: what there is, and images of your own.") as store:
    import_panel(store.settings)
    if info := data.choose_dataset(store):
        data.facts(info)
        data.deletion_panel(store, info)
        findings_panel(info)
        looks(info)
        data.samples(info)
