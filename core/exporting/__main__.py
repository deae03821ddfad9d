"""`python -m core.exporting FOLDER PARENT_PID`: exports a model, for `core.exporting.client`."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from core.exporting.messages import FILES, REPORT, REQUEST, Report, Request
from core.system.fast_keras_import import import_keras
from core.system.files import parse_object, write_whole
from core.system.parent_watch import die_with_parent
from core.system.records import from_json_values, to_json_values
from core.system.redaction import redact, redact_output


def main() -> None:
    redact_output()
    work = Path(sys.argv[1])
    die_with_parent(int(sys.argv[2]))
    request = from_json_values(Request, parse_object((work / REQUEST).read_text(encoding="utf-8")))
    import_keras()
    from core.exporting.checked import Refused, export
    from core.tracking.store import get_store

    try:
        report = export(get_store(), request.run_id, request.format, work / FILES)
    except (Refused, ValueError, FileNotFoundError) as error:
        report = Report(refused=redact(str(error)))
    write_whole(work / REPORT, json.dumps(to_json_values(Report, report)))


if __name__ == "__main__":
    main()
