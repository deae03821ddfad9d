"""Architectures: where each net comes from, what it costs, how it is built; two of them side by side."""

from core.ui.common.frame import open_page
from core.ui.gallery import cards as gallery
from core.ui.gallery import costs as gallery_cost
from core.ui.gallery import model as gallery_net
from core.ui.train.model_options import broken_files

ICON = ":material/account_tree:"

with open_page("Architectures", "Every model: its paper, its layers, what it costs."):
    broken_files()
    draw = {
        gallery.CARDS: gallery.cards,
        gallery.COSTS: gallery_cost.cost,
        gallery.ONE: gallery_net.one_model,
        gallery.TWO: gallery_net.two_models,
    }
    draw[gallery.choose_view()]()
