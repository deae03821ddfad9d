#!/usr/bin/env bash
# Collect what a GPU machine without network needs to run benchmarks/gpu.py with JAX, and check its size.
#
#     benchmarks/gpu_wheels.sh FOLDER [IMAGES.tar.xz]
#
# The machine is expected to have Python 3.12 with jax (0.11, CUDA), numpy, pandas, scipy, scikit-learn, pillow,
# pyarrow and psutil. FOLDER gets wheels of everything else and, where it is named, the archive of images. There:
#
#     python3.12 -m venv --system-site-packages venv
#     venv/bin/pip install --no-index --no-deps FOLDER/*.whl
#
# mlflow-skinny stands in for mlflow, of which the command line, the worker and trainings use no more; streamlit
# and plotly, which the dashboard alone needs, stay at home. Fails when all together is larger than LIMIT_MIB.
set -euo pipefail
cd "$(dirname "$0")/.."

folder=${1:?usage: benchmarks/gpu_wheels.sh FOLDER [IMAGES.tar.xz]}
LIMIT_MIB=${LIMIT_MIB:-64}
PYTHON=${PYTHON:-python3}
there="jax jaxlib numpy pandas scipy scikit_learn pillow pyarrow psutil ml_dtypes opt_einsum joblib threadpoolctl python_dateutil six"
needed="keras mlflow-skinny SQLAlchemy alembic sqlparse pydantic PyYAML click filelock ImageHash chardet nvidia-ml-py"

mkdir -p "$folder"
# shellcheck disable=SC2086  # lists of names
"$PYTHON" -m pip download --quiet --disable-pip-version-check --dest "$folder" -c constraints.txt \
  --only-binary=:all: --python-version 3.12 --implementation cp --abi cp312 --abi abi3 --abi none \
  --platform manylinux_2_28_x86_64 --platform manylinux_2_17_x86_64 --platform manylinux2014_x86_64 $needed
for name in $there; do
  rm -f "$folder/$name"-[0-9]*.whl
done
if [ $# -gt 1 ]; then cp "$2" "$folder/"; fi

du -k "$folder"/* | sort -n | tail -8
bytes=$(cat "$folder"/* | wc -c)
printf '%s: %d files, %d.%d MiB of %d MiB\n' "$folder" "$(find "$folder" -type f | wc -l)" \
  $((bytes >> 20)) $(((bytes >> 10) % 1024 * 10 / 1024)) "$LIMIT_MIB"
[ "$bytes" -le $((LIMIT_MIB << 20)) ] || { echo "too large to be carried" >&2; exit 1; }
