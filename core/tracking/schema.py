"""Every name that a run logs. Any MLflow client can read a run by this list.

Epoch metrics carry `step = epoch` (from 1) and Keras' own names, so that runs logged elsewhere compare with
ours. `loss` and `val_loss` are the cross-entropy of the predictions, whatever the run optimizes; what it
optimizes, with penalties, label smoothing, focal or class weights, is `objective` and `val_objective`. Runs
without the tag `archlab.loss` logged the objective as `loss` and `val_loss`, before the epoch of
`archlab.loss.from` where they have that.
"""

from __future__ import annotations

EXPERIMENT = "archlab"

# States, in MLflow's words.
SCHEDULED, RUNNING, FINISHED, FAILED, KILLED = "SCHEDULED", "RUNNING", "FINISHED", "FAILED", "KILLED"
ACTIVE = (SCHEDULED, RUNNING)
ENDED = (FINISHED, FAILED, KILLED)

EPOCH_METRICS = (
    "loss",
    "accuracy",
    "objective",
    "val_loss",
    "val_accuracy",
    "val_objective",
    "learning_rate",
    "images_per_second",
    "epoch_seconds",
)
RANGE_METRICS = ("range_rate", "range_loss")  # of a learning-rate range test; step = optimizer step, from 1
FINAL_METRICS = (
    "test_loss",
    "test_accuracy",
    "test_top5_accuracy",
    "test_balanced_accuracy",
    "test_macro_f1",
    "test_roc_auc",
    "test_ece",  # 15 bins of equal width, which is biased on small test sets
    "test_calibration_error",  # debiased, bins of equal mass; up to the floor it is no evidence
    "test_calibration_floor",
    "test_predicted_classes",
    "best_val_accuracy",
    "best_epoch",
    "train_seconds",
    "parameters",
    "trainable_parameters",
    "macs",
    "model_bytes",
    "latency_ms",
    "gpu_peak_bytes",  # most memory that training held on its GPUs; not logged without a GPU
)

# Facts about the images that a score was measured on: how many, how many classes, and the share of the most
# frequent one, which is the accuracy of always answering it.
SET_METRICS = tuple(
    f"{subset}_{fact}" for subset in ("validation", "test") for fact in ("images", "classes", "majority")
)

TOP = 5  # k of test_top5_accuracy; with k classes or fewer it is always 1, and not logged

# Parameters that a run logs beside its config, when it begins to train.
FINGERPRINT = "data.fingerprint"  # of the dataset with its edits: changes with any pixel, label or class
SPLIT = "data.split_fingerprint"  # which of its images train, validate and test
EVALUATION = "data.evaluation_fingerprint"  # which of its images validate and test; absent on older runs

# Artifacts.
CONFIG = "config.yaml"
DATA = "data.json"
ENVIRONMENT = "environment.json"
LOG = "log.txt"
SEEN = "seen.npz"  # digests of the images that it and its ancestors were trained on
PREDICTIONS = "evaluation/predictions.parquet"  # of the test set
VALIDATION_PREDICTIONS = "evaluation/validation_predictions.parquet"  # absent on older runs
MODEL = "model"

# Tags.
CANCEL = "archlab.cancel"  # set to cancel the run; the worker reads it
FAILURE = "archlab.failure"  # one line: why a run ended FAILED
OWNER = "archlab.owner"  # host, process id and its start time: the process responsible for a RUNNING run
PROGRESS = "archlab.progress"  # JSON, see core.training.progress_reporter; rewritten about once a second
HOME = "archlab.home"  # id of the installation in whose queue a run was put
PRIORITY = "archlab.priority"  # a number, 0 where there is none; higher ones start first
HELD = "archlab.held"  # it stays in the queue until it is released
WANTS = "archlab.wants"  # how many devices, and which: "1 auto", "2 auto", "1 cpu"
DEVICE = "archlab.device"  # what it trains on: CUDA_VISIBLE_DEVICES, or cpu
STARTED = "archlab.started"  # when it became RUNNING, milliseconds since 1970; the launch was before
PACE = "archlab.pace"  # JSON: fixed seconds, and seconds per epoch or step, as a few steps measured
NOT_TAKEN = "archlab.not_taken"  # one line: why a cluster could not accept it yet
JOB = "archlab.job"  # its job on a cluster
MEASURE = "archlab.measure"  # its speed is to be measured by a few steps
UNMEASURED = "archlab.unmeasured"  # one line: why its speed could not be measured
FOREGROUND = "archlab.foreground"  # launched outside the queue, by a command that waits for it
NUMBER = "archlab.number"  # counts the runs of a store; decides the run's colour
LOSS = "archlab.loss"  # what each `loss` and `val_loss` is: CROSS_ENTROPY; absent on older runs
LOSS_FROM = "archlab.loss.from"  # of an older run that was resumed: the first epoch for which LOSS holds
KEPT = "archlab.kept"  # which epoch's weights the saved model has
RECIPE = "archlab.recipe"
SWEEP = "archlab.sweep"  # of the runs of a sweep and of their parent: the names of the settings it varies
SEARCH = "archlab.search"  # the name of the search that it is of
TRIAL = "archlab.trial"  # the number of its trial
PRUNED = "archlab.pruned"  # a search ended it early; after which epoch
RECIPE_RUN = "archlab.recipe.run"  # the title of the recipe's run that it is; absent on older runs
USER = "mlflow.user"
NOTE = "mlflow.note.content"  # what a person wrote about the run
PARENT = "mlflow.parentRunId"  # of a run in a group
GROUP = "archlab.group"  # on the parent of a group, which trains nothing: the number of runs
SEED = "archlab.repeat"  # of a run in a group
FOLD = "archlab.fold"  # the fold that validates, from 0, of a run in a group
LOCKED = "archlab.locked"  # it may not be deleted
ARCHIVED = "archlab.archived"  # it is in no list and no comparison until it is restored
PINNED = "archlab.pinned"  # it stands at the top of the table of runs
EXTENDS = "archlab.extends"  # the run whose training this one continues
LEAK = "archlab.leak"  # a sentence: which images of its validation or test set its ancestors were trained on
LEAK_CHECKED = "archlab.leak.checked"  # "yes" when all images that its ancestors were trained on are known
LEAK_UNCHECKED = "archlab.leak.unchecked"  # sentences: which of them are not known
ONNX_DIFFERENCE = "archlab.onnx.difference"  # of probabilities: between its ONNX file and Keras, the largest
ONNX_REFUSED = "archlab.onnx.refused"  # a sentence: why its model has no ONNX file; older runs have neither
WEIGHTS = "archlab.weights"  # digest of the weights of the saved model, which identifies files of it
TOUCHED = "archlab.touched"  # milliseconds since 1970: when a write to the store was last probed
NOT_LOGGED = "archlab.not_logged"  # one line: what the store refused to log, and why
RATES = "archlab.rates"  # a sentence: learning rates of a run that extends another; its config lacks them
FITS = "archlab.fits"  # of a run that ran out of memory: the batch size that would fit

# Sentences that may quote an error: secrets of the environment are redacted in them.
SENTENCES = (FAILURE, NOT_TAKEN, UNMEASURED, NOT_LOGGED, ONNX_REFUSED)

CROSS_ENTROPY = "cross_entropy"  # the value of LOSS; also the metric that Keras computes it as

SAVED = "result saved, ending"  # the last phase of progress: there is nothing left to cancel
PENDING = "waiting on the cluster"  # a phase of progress, before those of the training

# Tags of one attempt to train a run, deleted when it is resumed.
OF_AN_ATTEMPT = (
    *(
        CANCEL,
        FAILURE,
        FITS,
        FOREGROUND,
        PROGRESS,
        PRIORITY,
        HELD,
        DEVICE,
        STARTED,
        JOB,
        NOT_TAKEN,
        NOT_LOGGED,
        ONNX_DIFFERENCE,
        ONNX_REFUSED,
    ),
)

# Tags whose names begin so are the programs'; every other one is a person's.
OF_PROGRAMS = ("archlab.", "mlflow.")
