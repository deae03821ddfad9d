"""Compare: a table of runs, and the curves of the chosen ones overlaid."""

from core.ui.common import stored_runs
from core.ui.common.actions import train_first
from core.ui.common.frame import open_page
from core.ui.compare.change import change_ticked
from core.ui.compare.charts import charts
from core.ui.compare.hand_on import hand_on
from core.ui.compare.image_by_image import image_by_image
from core.ui.compare.runs_table import table
from core.ui.compare.verdict import is_it_better, short_names
from core.ui.run.suspect_labels import suspect_labels

ICON = ":material/query_stats:"

with open_page("Compare", "Runs side by side; the same colour is the same run on every page.") as store:
    if stored_runs.columns(archived=True).empty:
        train_first("No run to compare yet")
    else:
        chosen = table()
        change_ticked(store, chosen.ticked)
        is_it_better(chosen.entries)
        charts(chosen.entries)
        image_by_image(chosen.entries)
        if chosen.ticked:
            suspect_labels(short_names(chosen.entries))
        hand_on(short_names(chosen.entries))
