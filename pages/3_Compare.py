"""Compare: a table of runs, and the curves of the chosen ones overlaid."""

from core.ui.common import reads
from core.ui.common.actions import train_first
from core.ui.common.frame import open_page
from core.ui.compare import panels as compare
from core.ui.run import actions as run_actions

ICON = ":material/query_stats:"

with open_page("Compare", "Runs side by side; the same colour is the same run on every page.") as store:
    runs = reads.runs()
    if runs.empty:
        train_first("No run to compare yet")
    else:
        chosen, selected = compare.table(runs)
        run_actions.delete_many(store, runs[runs["run_id"].isin(selected)])
        compare.curves(runs, chosen)
        compare.groups(runs)
