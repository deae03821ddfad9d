"""Data: the datasets, what is in them, and the import of another one."""

from core.ui.common.frame import open_page
from core.ui.data.browse import browse
from core.ui.data.dataset import choose_dataset, deletion_panel, facts, samples, train_link
from core.ui.data.findings import findings_panel
from core.ui.data.import_form import import_panel
from core.ui.data.looks import looks

ICON = ":material/photo_library:"

with open_page("Data", "Images to train on: what there is, and images of your own.") as store:
    import_panel(store.settings)
    if info := choose_dataset(store):
        train_link(info)
        facts(info)
        deletion_panel(store, info)
        findings_panel(info)
        looks(info)
        browse(info)
        samples(info)
