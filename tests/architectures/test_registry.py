"""What holds for every model of the registry: a new one is tested by being there."""

import shutil
import subprocess
import sys

import keras
import numpy as np
import onnx
import pytest
import tensorflow as tf

from core.architectures import architectures, build_model, check_input, inference_model
from core.architectures.layers import AuxiliaryModel
from core.exporting.box import write_box
from core.exporting.threshold import Threshold
from core.inference.grad_cam import NO_MAPS, grad_cam
from core.inference.messages import ModelImages
from core.onnx_form.check import TOLERANCE, keras_probabilities
from core.onnx_form.convert import to_onnx
from core.onnx_form.session import Facts, Session
from tests.support.boxes import run_bare

pytestmark = pytest.mark.slow

NAMES = architectures.names()

# Models of any depth are trained at a depth that has two blocks a stage.
OPTIONS = {"resnet_cifar_v2": {"depth": 20}}


STEP_LENGTH = 2e-4  # of all weights together


def builder(name):
    """The function that builds a model; models that share one differ in a row of its table."""
    build = architectures.get(name).build
    return getattr(build, "func", build)


BUILDERS = {build.__name__: build for build in map(builder, NAMES)}


@pytest.fixture(params=BUILDERS)
def smallest(request, described):
    """Of the models that one function builds, the one with the fewest parameters."""
    variants = [name for name in NAMES if builder(name) is BUILDERS[request.param]]
    return min(variants, key=lambda name: described(name).total_parameters)


def kind(name, described):
    """What variants of a builder share that differ in the number of their layers and filters alone."""
    switches = getattr(architectures.get(name).build, "keywords", {})
    return (
        builder(name).__name__,
        frozenset((layer.type, layer.window, layer.strides) for layer in described(name).layers),
        # tables of layers are tuples or dicts; the others choose another kind of block, layer or shortcut
        frozenset(
            (key, str(value))
            for key, value in switches.items()
            if key != "name" and not isinstance(value, (tuple, dict))
        ),
    )


def is_smallest_of_its_kind(name, described):
    variants = [other for other in NAMES if builder(other) is builder(name)]
    alike = [other for other in variants if kind(other, described) == kind(name, described)]
    return name == min(alike, key=lambda other: described(other).total_parameters)


def at_min_size(name, num_classes, **options):
    size = architectures.get(name).min_size
    return build_model(name, (size, size, 3), num_classes, **OPTIONS.get(name, {}), **options)


def downsamples_everywhere(model):
    """Whether each layer that thins a map has more than one pixel to thin; padding is no pixel.

    Auxiliary classifiers adapt to the map, so theirs do not matter.
    """
    producers = {id(layer.output): layer for layer in model.layers}
    for layer in model.layers:
        if np.max(getattr(layer, "strides", 1)) == 1:
            continue
        source = producers[id(layer.input)]
        maps = source.input if isinstance(source, keras.layers.ZeroPadding2D) else layer.input
        if min(maps.shape[1:3]) == 1:
            return False
    return True


@pytest.mark.parametrize("name", NAMES)
def test_native_input_and_classes_are_as_registered(name, described):
    entry, description = architectures.get(name), described(name)
    assert (description.input_shape, description.classes) == (entry.input_shape, entry.num_classes)


def test_one_pixel_less_than_min_size_does_not_work(smallest):
    entry = architectures.get(smallest)
    smaller = entry.min_size - 1
    try:
        with keras.StatelessScope(initialize_variables=False):  # shapes alone count
            model = inference_model(entry.build((smaller, smaller, 3), 2))
    except ValueError:
        return  # Keras finds that a map would be empty
    assert not downsamples_everywhere(model)


@pytest.mark.parametrize("name", NAMES)
def test_variants_of_a_builder_shrink_the_map_alike(name):
    """So that the smallest size of one of them is the smallest size of all."""
    sizes = {architectures.get(other).min_size for other in NAMES if builder(other) is builder(name)}
    assert builder(name).__name__ == "patch_cnn" or len(sizes) == 1


@pytest.mark.parametrize("name", NAMES)
def test_too_small_an_input_is_refused_with_the_smallest_that_works(name):
    entry = architectures.get(name)
    size = entry.min_size
    with pytest.raises(ValueError, match=rf"{name} needs images of at least {size}×{size} pixels. Received"):
        check_input(entry, (size, size - 1, 3), 2)


@pytest.mark.parametrize(("index", "name"), list(enumerate(NAMES)))
def test_at_min_size_kernels_start_apart_onnx_answers_alike_a_step_lowers_the_loss_and_the_saved_model_too(
    index, name, described, tmp_path, bare_onnxruntime
):
    """Of variants that only repeat the same layers more often, the smallest is trained and saved."""
    keras.utils.set_random_seed(7)
    num_classes = (2, 10, 100)[index % 3]
    values = keras.StatelessScope(initialize_variables=False)  # tensors, which are cheaper than variables
    with values:
        model = at_min_size(name, num_classes)
        for variable in model.variables:
            variable.assign(variable.value)  # drawn by the model's own initializers
        assert kernels_that_start_alike(model) == []
    size, units = model.inputs[0].shape[1], model.output_shape[-1]
    assert units == num_classes or (units, num_classes, name) == (1, 2, "cats_dogs_cnn")
    answering = inference_model(model)
    assert downsamples_everywhere(answering)
    with values:
        assert onnx_difference(answering, tmp_path / "model.onnx", bare_onnxruntime) < TOLERANCE
        assert shows_where_it_looks(answering)
    if not is_smallest_of_its_kind(name, described):
        return
    images = np.random.default_rng(7).uniform(size=(8, size, size, 3)).astype("float32")
    labels = np.arange(8) % num_classes
    if isinstance(model, AuxiliaryModel):
        model.compile(loss="sparse_categorical_crossentropy")
    with values:
        assert descends(model, images, labels)
        answering.save(tmp_path / "net.keras")
        loaded = keras.saving.load_model(tmp_path / "net.keras", compile=False)
        expected = keras.ops.convert_to_numpy(answering(images, training=False))
        again = keras.ops.convert_to_numpy(loaded(images, training=False))
    assert expected.shape == (8, units)
    assert expected.dtype == np.float32
    assert units == 1 or np.allclose(expected.sum(axis=1), 1, atol=1e-5)
    assert np.allclose(again, expected, atol=1e-6)
    assert loaded.count_params() == answering.count_params()


def onnx_difference(model, path, packages):
    """The largest difference between the answers of a model and of its ONNX file, as a share of the largest.

    Beside that, a box with the file passes its own check where onnxruntime alone is installed.

    The answers are logits, as far as the last layer can leave its softmax out: the probabilities of many a
    fresh model are 0 and 1. The images are of several brightnesses, so that the answers differ.
    """
    generator = np.random.default_rng(7)
    shape = model.input_shape[1:]
    images = np.stack([generator.integers(0, top, shape, dtype="uint8") for top in (2, 6, 20, 70, 255)])
    last = model.outputs[0]._keras_history.operation
    activation = getattr(last, "activation", None)
    try:
        if activation is keras.activations.softmax:
            last.activation = keras.activations.linear
        expected = keras_probabilities(model, images)
        onnx.save_model(to_onnx(model, Facts().metadata()), path)
    finally:
        if activation is not None:
            last.activation = activation
    assert np.ptp(expected, axis=0).max() > 0
    found = Session(path).probabilities(images)
    largest = np.abs(expected).max()
    classes = tuple(map(str, range(expected.shape[1])))
    write_box(
        path.with_name("box.zip"), path, ModelImages(shape, classes, "stretch"), Threshold(None, ""),
        images, np.zeros(0, "int64"), expected, "", float(TOLERANCE * largest),
    )  # fmt: skip
    shutil.unpack_archive(path.with_name("box.zip"), path.with_name("box"))
    checked = run_bare(path.with_name("box") / "check.py", packages)
    assert checked.returncode == 0, checked.stdout + checked.stderr
    shutil.rmtree(path.with_name("box"))
    for file in (path, path.with_name("box.zip")):
        file.unlink()
    return np.abs(found - expected).max() / largest


def shows_where_it_looks(model):
    """Whether Grad-CAM has a finite map for the first and the last class, or rightly says that none can be.

    At the smallest size of some models every feature map is one pixel.
    """
    image = np.random.default_rng(7).integers(0, 20, model.input_shape[1:], dtype="uint8")
    shapes = [layer.output.shape for layer in model.layers if hasattr(layer, "kernel")]
    try:
        maps = [grad_cam(model, image, index).values for index in (0, max(1, model.output_shape[-1] - 1))]
    except ValueError as error:
        return str(error) == NO_MAPS and all(len(shape) < 4 or shape[1] * shape[2] == 1 for shape in shapes)
    return all(np.isfinite(one).all() and one.min() >= 0 and one.size > 1 for one in maps)


def kernels_that_start_alike(model, values=256):
    """Pairs of kernels whose first values are the same draw up to a scale, by their paths.

    Layers that share an initializer object, or a seed, start with the same random numbers: a smaller kernel
    is then the beginning of a larger one. The first 256 values of independent draws correlate by 0.0625 on
    average, and by 0.5 once in 10^17 pairs.
    """
    starts, paths = [], []
    for weight in model.trainable_weights:
        start = keras.ops.convert_to_numpy(weight).ravel()[:values]
        if "kernel" in weight.path and len(start) == values:
            starts.append((start - start.mean()) / np.linalg.norm(start - start.mean()))
            paths.append(weight.path)
    correlations = np.triu(np.abs(np.array(starts) @ np.array(starts).T), k=1)
    return [(paths[one], paths[other]) for one, other in np.argwhere(correlations > 0.5)]


def test_kernels_from_one_initializer_are_told():
    """The test above would see them: Keras' initializers are stateless."""
    shared, images = keras.initializers.RandomNormal(), keras.Input((16, 16, 3))
    x = keras.layers.Conv2D(32, 3, kernel_initializer=shared, name="one")(images)
    x = keras.layers.Conv2D(32, 3, kernel_initializer=shared, name="two")(x)
    model = keras.Model(images, keras.layers.Conv2D(32, 3, name="three")(x))
    assert kernels_that_start_alike(model) == [("one/kernel", "two/kernel")]


def descends(model, images, labels):
    """Whether a step down the gradient lowers the loss; the weights are then those after the step.

    In eager mode, because tracing a model of 700 layers costs more; a short step, because at maps of one
    pixel the normalised models are very curved, and a tenth of it for those where that is too long.
    """
    weights = [variable.value for variable in model.trainable_variables]
    with tf.GradientTape() as tape:
        tape.watch(weights)
        for variable, weight in zip(model.trainable_variables, weights, strict=True):
            variable.assign(weight)
        before = loss_of(model, images, labels)
    gradients = tape.gradient(before, weights)
    for length in (STEP_LENGTH, STEP_LENGTH / 10):
        rate = length / tf.linalg.global_norm(gradients)
        for variable, weight, gradient in zip(model.trainable_variables, weights, gradients, strict=True):
            variable.assign(weight - rate * gradient)
        if float(loss_of(model, images, labels)) < float(before):
            return True
    return False


def loss_of(model, images, labels):
    """Random states and statistics stay as they are: the same values are dropped each time."""
    weights = [variable.value for variable in model.trainable_variables]
    states = [variable.value for variable in model.non_trainable_variables]
    answers, _ = model.stateless_call(weights, states, images, training=True)
    if isinstance(model, AuxiliaryModel):
        return model.compute_loss(images, labels, answers)
    if answers.shape[-1] == 1:
        return keras.losses.BinaryCrossentropy()(labels[:, None], answers)
    return keras.losses.SparseCategoricalCrossentropy()(labels, answers)


@pytest.mark.parametrize("num_classes", [2, 100])
def test_the_classifier_has_a_unit_a_class(smallest, num_classes):
    with keras.StatelessScope(initialize_variables=False):
        model = inference_model(at_min_size(smallest, num_classes))
    one_unit = smallest == "cats_dogs_cnn" and num_classes == 2
    assert model.output_shape == (None, 1 if one_unit else num_classes)
    assert model.outputs[0].dtype == "float32"


@pytest.mark.parametrize("name", NAMES)
def test_card_and_options_are_filled_in(name):
    entry = architectures.get(name)
    card = entry.card
    assert all([card.title, card.authors, card.paper, card.summary, card.departures])
    assert 1998 <= card.year <= 2026
    for option in entry.options:
        assert option.validated(option.default) == option.default
        assert option.help.endswith(".")


def test_listing_the_models_does_not_import_keras():
    code = (
        "import sys; from core.architectures import architectures; import core.architectures.describe; "
        "architectures.names(); print([name for name in ('keras', 'tensorflow') if name in sys.modules])"
    )
    listed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert listed.stdout.strip() == "[]"
