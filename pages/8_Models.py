"""Models: registered models with their versions, cards and files to take away."""

from core.ui.common.frame import open_page
from core.ui.models.card import card
from core.ui.models.downloads import downloads
from core.ui.models.listing import choose_version
from core.ui.models.promotion import compared
from core.ui.models.use import code_to_use
from core.ui.models.version import head

ICON = ":material/deployed_code:"

with open_page(
    "Models", "Registered models: which version is the champion, what it is worth, its files."
) as store:
    found = choose_version(store)
    if found:
        model, version = found
        head(store, model, version)
        compared(store, model, version)
        card(store, version)
        downloads(store, version)
        code_to_use(store, version)
