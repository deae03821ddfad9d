"""Compare: a table of runs, and the curves of the chosen ones overlaid."""

from core.ui.common import reads
from core.ui.common.actions import train_first
from core.ui.common.frame import open_page
from core.ui.compare.charts import charts
from core.ui.compare.hand_on import hand_on
from core.ui.compare.image_by_image import image_by_image
from core.ui.compare.runs_table import table
from core.ui.compare.verdict import is_it_better
from core.ui.run.actions import delete_many

ICON = ":material/query_stats:"

with open_page("Compare", "Runs side by side; the same colour is the same run on every page.") as store:
    runs = reads.columns()
    if runs.empty:
        train_first("No run to compare yet")
    else:
        chosen = table()
        delete_many(store, runs[runs["run_id"].isin(chosen.ticked)])
        is_it_better(chosen.entries)
        charts(chosen.entries)
        image_by_image(chosen.entries)
        hand_on(chosen.entries)
