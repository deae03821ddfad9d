"""Queue: what runs, what comes next and when; move, hold and cancel."""

from core.ui.common.frame import open_page
from core.ui.queue.table import queue_table

ICON = ":material/low_priority:"

with open_page("Queue", "What runs, what comes next, and when.") as store:
    queue_table(store)
