"""Compare: a table of runs, and the curves of the chosen ones overlaid."""

from core.ui import compare, reads, run_actions
from core.ui.actions import train_first
from core.ui.frame import open_page

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
