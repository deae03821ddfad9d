"""Studies: experiments launched whole, and their results beside what was published."""

from core.ui.common.frame import open_page
from core.ui.studies.views import study_view

ICON = ":material/labs:"

with open_page("Studies", "Whole experiments: published ones with one click, sweeps, and your own.") as store:
    study_view(store)
