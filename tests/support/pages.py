"""Pages as a visitor gets them, without a browser."""

from __future__ import annotations

from streamlit.testing.v1 import AppTest
from streamlit.testing.v1.element_tree import Button

from core.system.settings import PROGRAM
from core.ui.common import stored_runs

PAGES = ["streamlit_app.py", *sorted(f"pages/{path.name}" for path in (PROGRAM / "pages").glob("*.py"))]


def opened(page: str, **query: str | list[str]) -> AppTest:
    """The page as a visitor gets it, after one run of its script.

    It reads what the test has written: pages may show tags of ended runs that are two seconds old.
    """
    stored_runs.forget_runs()
    app = AppTest.from_file(str(PROGRAM / "streamlit_app.py"), default_timeout=60)
    app.query_params.update(query)
    app.run()
    if page != "streamlit_app.py":
        app.switch_page(page)
        app.run()
    return app


def in_address(app: AppTest, name: str) -> list[str]:
    """What stands in the page's address under a name."""
    values = app.query_params[name]
    return [values] if isinstance(values, str) else values


def launch_button(app: AppTest) -> Button:
    """The button of the Train page that launches."""
    (button,) = [one for one in app.button if one.label.startswith("Launch")]
    return button
