"""Architectures: where each model comes from, what it costs, how it is built; two of them side by side."""

from core.ui.common.frame import open_page
from core.ui.gallery.cards import CARDS, COSTS, ONE, TWO, cards, choose_view
from core.ui.gallery.costs import cost
from core.ui.gallery.model import one_model, two_models
from core.ui.train.model_options import broken_files

ICON = ":material/account_tree:"

with open_page("Architectures", "Every model: its paper, its layers, what it costs."):
    broken_files()
    draw = {CARDS: cards, COSTS: cost, ONE: one_model, TWO: two_models}
    draw[choose_view()]()
