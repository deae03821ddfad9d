"""Run: one run while it trains, and its results."""

from core.analysis.entries import entry_of
from core.tracking import schema
from core.ui.common import stored_runs
from core.ui.common.choose import choose_run
from core.ui.common.frame import open_page, retitle
from core.ui.run.archive import choosable
from core.ui.run.evaluation import evaluation
from core.ui.run.happened import happened
from core.ui.run.links import links
from core.ui.run.live import run_head, run_panel, training_panel
from core.ui.run.results import headline, rate_range
from core.ui.run.settings import settings
from core.ui.run.suspect_labels import suspect_labels

ICON = ":material/monitoring:"

with open_page("Run", "Progress, results and mistakes of one run.") as store:
    run_id = choose_run(choosable())
    if run_id:
        run = stored_runs.run(run_id)
        retitle(run.name or "unnamed")
        if run.status != schema.FINISHED:
            run_panel(store, run_id)
            happened(store, run)
        else:
            run_head(store, run)
            if run.is_range_test:
                rate_range(store, run)
            else:
                headline(run)
                happened(store, run)
                links(store, run)
                evaluation(store, run)
                suspect_labels([entry_of(run)])
            training_panel(store, run)
        settings(run)
