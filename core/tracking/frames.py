"""Runs and histories as DataFrames.

`mlflow.search_runs` takes seconds for some thousand runs, so a store that is a database is read from
MLflow's own tables; one behind HTTP is read by the client. A test holds both equal.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from sqlalchemy import Connection, bindparam, text

from core.tracking import schema
from core.tracking.connections import asking, connected, is_database
from core.tracking.errors import DamagedArtifact

if TYPE_CHECKING:
    from core.tracking.store import RunStore

RUN_COLUMNS = ["run_id", "name", "status", "started", "ended", "last_epoch"]
HISTORY_COLUMNS = ["run_id", "metric", "step", "value", "time"]


def runs(store: RunStore, keys: Sequence[str] | None = None) -> pd.DataFrame:
    """Every run of the store that was not deleted, newest first; parents of groups are none.

    Columns: run_id, name, status, started and ended (UTC), last_epoch (the step of the last `loss`), then
    `params.*`, `metrics.*` (their last values, float) and `tags.*`. A value a run does not have is NaN.

    keys: the parameters, metrics and tags that are wanted, which takes a fifth of the time where they are
    few; one that ends with a dot stands for all that begin so. None: all there are.
    """
    with asking(store.uri):
        frame = _runs_by_sql(store, keys) if is_database(store.uri) else _runs_by_client(store)
    if keys is not None:
        frame = frame[[column for column in frame if _is_wanted(column, [*keys, schema.GROUP])]]
    parents = frame.get(f"tags.{schema.GROUP}", pd.Series(index=frame.index, dtype=object)).notna()
    frame = frame[~parents].drop(columns=f"tags.{schema.GROUP}", errors="ignore")
    return frame.sort_values(["started", "run_id"], ascending=False, ignore_index=True)


def run_ids(store: RunStore) -> list[str]:
    """Ids of all runs that were not deleted."""
    if not is_database(store.uri):
        return runs(store)["run_id"].tolist()
    with connected(store.uri) as connection:
        rows = connection.execute(text("SELECT run_uuid FROM runs WHERE lifecycle_stage = 'active'"))
        return [row[0] for row in rows]


def last_number(store: RunStore) -> int:
    """The highest number that a run of the store got, deleted ones included; 0 when none has one."""
    if not is_database(store.uri):
        found = runs(store).get(f"tags.{schema.NUMBER}", pd.Series(dtype=str)).dropna().tolist()
    else:
        query = text("SELECT value FROM tags WHERE key = :key")
        with connected(store.uri) as connection:
            found = list(connection.execute(query, {"key": schema.NUMBER}).scalars())
    return max((int(number) for number in found if number.isdecimal()), default=0)  # some made by hand


def last_metrics(store: RunStore, run_ids: Sequence[str], names: Iterable[str]) -> list[dict[str, float]]:
    """The last values of some metrics, one mapping per run; a metric that a run does not have is left out."""
    wanted = list(names)
    if not run_ids or not wanted:
        return [{} for _ in run_ids]
    if not is_database(store.uri):
        found = [store.run(run_id).data.metrics for run_id in run_ids]
        return [{name: metrics[name] for name in wanted if name in metrics} for metrics in found]
    query = text(
        "SELECT run_uuid, key, value, is_nan FROM latest_metrics WHERE run_uuid IN :runs AND key IN :names"
    ).bindparams(bindparam("runs", expanding=True), bindparam("names", expanding=True))
    with connected(store.uri) as connection:
        frame = pd.read_sql(query, connection, params={"runs": list(run_ids), "names": wanted})
    values: dict[str, dict[str, float]] = {run_id: {} for run_id in run_ids}
    for run_id, name, value in zip(frame["run_uuid"], frame["key"], _with_nan(frame), strict=True):
        values[run_id][name] = value
    return list(values.values())


def histories(
    store: RunStore,
    run_ids: Sequence[str],
    metrics: Iterable[str] = schema.EPOCH_METRICS,
    after: int | None = None,
) -> pd.DataFrame:
    """All logged values of some metrics of some runs: run_id, metric, step, value, time (UTC), in order.

    after: only steps after this one.
    """
    names = list(metrics)
    if not run_ids or not names:
        return pd.DataFrame(columns=HISTORY_COLUMNS)
    read = _histories_by_sql if is_database(store.uri) else _histories_by_client
    with asking(store.uri):
        frame = read(store, list(run_ids), names, after)
    return frame.sort_values(["run_id", "metric", "step", "time"], ignore_index=True)


def _runs_by_sql(store: RunStore, keys: Sequence[str] | None = None) -> pd.DataFrame:
    among, bound = ("", {}) if keys is None else _among({*keys, schema.GROUP, "loss"})
    alive = "SELECT run_uuid FROM runs WHERE lifecycle_stage = 'active'"
    with connected(store.uri) as connection:
        frame = pd.read_sql(
            text(
                "SELECT run_uuid AS run_id, name, status, start_time AS started, end_time AS ended "
                "FROM runs WHERE lifecycle_stage = 'active'"
            ),
            connection,
        )
        wide = [frame.set_index("run_id")]
        for kind, table in (("params", "params"), ("metrics", "latest_metrics"), ("tags", "tags")):
            nan = ", is_nan, step" if kind == "metrics" else ""
            long = pd.read_sql(
                text(f"SELECT run_uuid, key, value{nan} FROM {table} WHERE run_uuid IN ({alive}){among}"),
                connection,
                params=bound,
            )
            if kind == "metrics":
                long["value"] = _with_nan(long)
                losses = long[long["key"] == "loss"]
                wide.append(losses.set_index("run_uuid")["step"].astype(float).rename("last_epoch"))
            pivoted = long.pivot(index="run_uuid", columns="key", values="value")
            wide.append(pivoted.add_prefix(f"{kind}."))
        digests = _digests_by_sql(connection) if keys is None or schema.FINGERPRINT in keys else {}
    return _typed(_with_digests(pd.concat(wide, axis=1).rename_axis("run_id").reset_index(), digests))


def _digests_by_sql(connection: Connection) -> dict[str, str]:
    """The digest of the dataset that each run noted as its input."""
    query = text(
        "SELECT inputs.destination_id, MAX(datasets.digest) FROM inputs JOIN datasets "
        "ON datasets.dataset_uuid = inputs.source_id "
        "WHERE inputs.source_type = 'DATASET' AND inputs.destination_type = 'RUN' "
        "GROUP BY inputs.destination_id"
    )
    return {row[0]: row[1] for row in connection.execute(query)}


def _with_digests(frame: pd.DataFrame, digests: Mapping[str, str]) -> pd.DataFrame:
    """Runs of older versions noted the fingerprint of their dataset as its digest, not as a parameter."""
    column = f"params.{schema.FINGERPRINT}"
    if not digests:
        return frame
    logged = frame.get(column, pd.Series(index=frame.index, dtype=object))
    return frame.assign(**{column: logged.where(logged.notna(), frame["run_id"].map(digests))})


def _is_wanted(column: str, keys: Sequence[str]) -> bool:
    key = column.partition(".")[2]
    return column in RUN_COLUMNS or any(
        key == one or (one[-1] == "." and key.startswith(one)) for one in keys
    )


def _among(keys: Iterable[str]) -> tuple[str, dict[str, str]]:
    """A condition on `key` and its values: those that are named, and those that begin as one with a dot."""
    conditions, bound = [], {}
    for place, key in enumerate(sorted(keys)):
        bound[f"key{place}"] = key
        prefix = f"substr(key, 1, {len(key)}) = :key{place}"  # LIKE would read % and _ in it
        conditions.append(prefix if key.endswith(".") else f"key = :key{place}")
    return f" AND ({' OR '.join(conditions)})", bound


def _runs_by_client(store: RunStore) -> pd.DataFrame:
    experiments = [experiment.experiment_id for experiment in store.client.search_experiments()]
    digests: dict[str, str] = {}
    rows, token = [], None
    while True:
        page = store.client.search_runs(experiments, max_results=1000, page_token=token)
        for run in page:
            info, data = run.info, run.data
            row = {
                "run_id": info.run_id,
                "name": info.run_name,
                "status": info.status,
                "started": info.start_time,
                "ended": info.end_time,
            }
            last = next((one.step for one in data._metric_objs if one.key == "loss"), None)
            row["last_epoch"] = float("nan") if last is None else float(last)
            row |= {f"params.{key}": value for key, value in data.params.items()}
            row |= {f"metrics.{key}": value for key, value in data.metrics.items()}
            row |= {f"tags.{key}": value for key, value in data.tags.items()}
            rows.append(row)
            if run.inputs is not None and run.inputs.dataset_inputs:
                digests[info.run_id] = max(one.dataset.digest for one in run.inputs.dataset_inputs)
        token = page.token
        if not token:
            break
    frame = pd.DataFrame(rows, columns=None if rows else RUN_COLUMNS)
    for column in frame.columns[frame.columns.str.startswith("metrics.")]:
        frame[column] = _with_infinity(frame[column])
    return _typed(_with_digests(frame, digests))


def _typed(frame: pd.DataFrame) -> pd.DataFrame:
    for column in ("started", "ended"):
        frame[column] = pd.to_datetime(frame[column].astype("Float64"), unit="ms", utc=True)
    rest = sorted(column for column in frame.columns if column not in RUN_COLUMNS)
    return frame[[*RUN_COLUMNS, *rest]]


def _histories_by_sql(
    store: RunStore, run_ids: list[str], names: list[str], after: int | None
) -> pd.DataFrame:
    query = text(
        "SELECT run_uuid AS run_id, key AS metric, step, value, timestamp AS time, is_nan "
        "FROM metrics WHERE run_uuid IN :runs AND key IN :names"
        + ("" if after is None else " AND step > :after")
    ).bindparams(bindparam("runs", expanding=True), bindparam("names", expanding=True))
    with connected(store.uri) as connection:
        bound = {"runs": run_ids, "names": names} | ({} if after is None else {"after": after})
        frame = pd.read_sql(query, connection, params=bound)
    frame["value"] = _with_nan(frame)
    frame["time"] = pd.to_datetime(frame["time"], unit="ms", utc=True)
    return frame[HISTORY_COLUMNS]


def _histories_by_client(
    store: RunStore, run_ids: list[str], names: list[str], after: int | None
) -> pd.DataFrame:
    rows = [
        (run_id, name, point.step, point.value, point.timestamp)
        for run_id in run_ids
        for name in names
        for point in store.client.get_metric_history(run_id, name)
        if after is None or point.step > after
    ]
    frame = pd.DataFrame(rows, columns=HISTORY_COLUMNS)
    frame["value"] = _with_infinity(frame["value"].astype(float))
    frame["time"] = pd.to_datetime(frame["time"], unit="ms", utc=True)
    return frame


def _with_nan(frame: pd.DataFrame) -> pd.Series:
    """In the tables NaN is 0 beside a flag."""
    return _with_infinity(frame["value"].astype(float).mask(frame["is_nan"].astype(bool)))


def _with_infinity(values: pd.Series) -> pd.Series:
    """MLflow stores an infinity as the largest number, and its client returns that."""
    largest = np.finfo(float).max
    return values.mask(values >= largest, np.inf).mask(values <= -largest, -np.inf)


def predictions(store: RunStore, run_id: str) -> pd.DataFrame:
    """The test probabilities of a finished run.

    Raises FileNotFoundError when it has none, DamagedArtifact when they cannot be read.
    """
    path = store.artifact(run_id, schema.PREDICTIONS)
    try:
        found = pd.read_parquet(path)
    except (OSError, ValueError, EOFError) as error:  # pyarrow's are these as well
        raise DamagedArtifact(run_id, schema.PREDICTIONS, error) from error
    if missing := {"index", "label"} - {*found.columns}:
        raise DamagedArtifact(run_id, schema.PREDICTIONS, f"it has no column '{min(missing)}'")
    return found
