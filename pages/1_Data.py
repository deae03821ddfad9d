"""Data: the datasets that exist, what is in them, and how another one comes in."""

from core.ui.common.frame import open_page
from core.ui.data import dataset as data
from core.ui.data.findings import findings_panel
from core.ui.data.import_form import import_panel
from core.ui.data.looks import looks

ICON = ":material/photo_library:"

with open_page("Data", "Images to train on: what there is, and images of your own.") as store:
    import_panel(store.settings)
    if info := data.choose_dataset(store):
        data.facts(info)
        data.deletion_panel(store, info)
        findings_panel(info)
        looks(info)
        data.samples(info)
