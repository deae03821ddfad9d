"""Checks that the model answers here as it did where it was trained, or classifies image files.

python check.py             the images of this box; ends with 0 where every answer is as expected, else with 1
python check.py FILE ...    image files of your own; needs Pillow
"""

from __future__ import annotations

import sys

import numpy as np
from model import FOLDER, Model


def check(model: Model) -> bool:
    """Compare the answers for the images of this box with those that are expected."""
    with np.load(FOLDER / "expected.npz") as expected:
        given = model.probabilities(expected["images"])
        difference = float(np.abs(given - expected["probabilities"]).max())
        labels = expected["labels"]
    right = difference <= model.facts["tolerance"]
    print(
        f"{'ok' if right else 'DIFFERENT'}: {len(given)} images, the largest difference of a probability "
        f"is {difference:.1e} ({model.facts['tolerance']:g} is allowed)"
    )
    if len(labels):
        print(f"right on {int((given.argmax(axis=1) == labels).sum())} of {len(labels)} test images")
    answered = np.array([model.answer(one)["decision"] == "answered" for one in given])
    if model.facts["answer_from"] is not None:
        wrong = f", {int((given.argmax(axis=1) != labels)[answered].sum())} wrongly" if len(labels) else ""
        print(f"answers {int(answered.sum())} of {len(given)} without a person{wrong}")
    return right


def main() -> None:
    model = Model()
    if not sys.argv[1:]:
        sys.exit(0 if check(model) else 1)
    for path in sys.argv[1:]:
        try:
            found = model.answer(model.probabilities(model.read(path)[None])[0])
        except (OSError, ValueError) as error:
            print(f"{path}: cannot be read: {error}", file=sys.stderr)
            sys.exit(2)
        print(
            f"{path}: {found['decision'] or 'no threshold is known'}: "
            + ", ".join(f"{name} ({value:.3f})" for name, value in found["likely"])
        )


if __name__ == "__main__":
    main()
