"""Layers fold to the few blocks that a person would draw, and none is lost on the way."""

from collections.abc import Callable

import pytest

from core.analysis.blocks import MAX_BLOCKS, Block, fold
from core.analysis.model_difference import aligned_layers, difference
from core.architectures.description import Description, LayerDescription


@pytest.fixture
def facts(described: Callable[..., Description]) -> Callable[..., Description]:
    """`facts(name, **options)`: a model's description as the client reads it."""
    return lambda name, **options: Description.from_dict(described(name, **options).to_dict())


def titles(blocks: list[Block]) -> list[tuple[int, str]]:
    return [(block.times, block.title) for block in blocks]


def test_resnet50_folds_to_its_four_stages(facts: Callable[..., Description]) -> None:
    """192 layers; the paper's table 1 has 3, 4, 6 and 3 blocks of three convolutions."""
    blocks = fold(facts("resnet50").layers)
    assert titles(blocks) == [
        (1, "conv 7×7, 64"),
        (1, "max pool 3×3"),
        (3, "residual block"),
        (4, "residual block"),
        (6, "residual block"),
        (3, "residual block"),
        (1, "global average pool"),
        (1, "dense, 1000"),
    ]
    assert blocks[2].branches == (("conv 1×1, 64", "conv 3×3, 64", "conv 1×1, 256"), ())
    assert blocks[2].extras == ("activation", "first shortcut: conv 1×1, 256")
    assert blocks[5].output_shape == (7, 7, 2048)


def test_repeated_convolutions_of_a_stage_are_one_block(facts: Callable[..., Description]) -> None:
    assert titles(fold(facts("conv9").layers)) == [
        (3, "conv 3×3, 32"),
        (1, "max pool 2×2"),
        (3, "conv 3×3, 64"),
        (1, "max pool 2×2"),
        (3, "conv 3×3, 128"),
        (1, "max pool 2×2"),
        (1, "flatten"),
        (1, "dense, 64"),
        (1, "dense, 2"),
    ]


def test_branches_of_a_module_and_auxiliary_classifiers_beside_it(
    facts: Callable[..., Description],
) -> None:
    """Inception 3a of GoogLeNet's table 1; its auxiliary classifiers read 4a and 4d."""
    blocks = fold(facts("googlenet").layers)
    modules = [block for block in blocks if block.kind == "parallel"]
    assert len(modules) == 9
    assert modules[0].branches == (
        ("conv 1×1, 96", "conv 3×3, 128"),
        ("conv 1×1, 16", "conv 5×5, 32"),
        ("max pool 3×3", "conv 1×1, 32"),
        ("conv 1×1, 64",),
    )
    assert {block.after for block in blocks if block.kind == "auxiliary"} == {
        blocks.index(modules[2]),
        blocks.index(modules[5]),
    }


@pytest.mark.parametrize(
    "name", ["resnet50", "googlenet", "conv9", "lenet5_1998", "resnet_cifar", "inception_resnet_v2"]
)
def test_no_layer_and_no_count_is_lost(name: str, facts: Callable[..., Description]) -> None:
    layers = facts(name).layers
    blocks = fold(layers)
    assert sorted(position for block in blocks for position in block.layers) == list(range(len(layers)))
    assert sum(block.parameters for block in blocks) == facts(name).total_parameters
    assert sum(block.macs for block in blocks) == facts(name).macs
    assert len(blocks) <= MAX_BLOCKS


def test_a_hundred_layers_deep_is_as_few_boxes_as_twenty(facts: Callable[..., Description]) -> None:
    deep, shallow = (fold(facts("resnet_cifar", depth=depth).layers) for depth in (110, 20))
    assert [block.title for block in deep] == [block.title for block in shallow]
    assert [block.times for block in deep if block.kind == "residual"] == [18, 18, 18]


def chain(count: int) -> list[LayerDescription]:
    """Convolutions that all differ, five a map size: nothing in them repeats."""
    return [
        LayerDescription(
            name=f"conv{position}",
            type="Conv2D",
            inputs=(position - 1,) if position else (),
            output_shape=(1000 - position // 5, 1000 - position // 5, position + 1),
            window=(3, 3),
            parameters=1,
            macs=1,
        )
        for position in range(count)
    ]


def test_what_does_not_repeat_becomes_a_box_a_map_size() -> None:
    assert len(fold(chain(MAX_BLOCKS))) == MAX_BLOCKS
    blocks = fold(chain(MAX_BLOCKS + 3))
    assert titles(blocks) == [(1, "5 blocks")] * 7
    assert sum(block.parameters for block in blocks) == MAX_BLOCKS + 3


def test_a_model_of_one_layer_is_one_block() -> None:
    assert titles(fold(chain(1))) == [(1, "conv 3×3, 1")]


def test_difference_of_a_model_and_the_same_without_shortcuts(facts: Callable[..., Description]) -> None:
    """Counts of the paper's models at 224×224: 16 sums, three projections with their normalisations."""
    table = difference(facts("resnet34"), facts("plain34")).set_index("measure")
    assert table.loc["parameters", ["first", "second", "difference"]].tolist() == [
        21_814_696,
        21_639_080,
        21_639_080 - 21_814_696,
    ]
    assert table.loc["Add layers", ["first", "second"]].tolist() == [16, 0]
    assert table.loc["Conv2D layers", "difference"] == -3
    assert table.loc["receptive field, pixels", "difference"] == 0
    assert table.loc["layers", "difference"] == -16 - 3 * 2
    assert "training memory at batch 32, MiB" in table.index
    layers = aligned_layers(facts("resnet34"), facts("plain34"))
    assert (layers["first"] != "").sum() == len(facts("resnet34").layers)
    assert (layers["second"] != "").sum() == len(facts("plain34").layers)
    assert (layers.loc[layers["same"], "first"] == layers.loc[layers["same"], "second"]).all()


def test_a_model_differs_from_itself_in_nothing(facts: Callable[..., Description]) -> None:
    table = difference(facts("conv9"), facts("conv9"))
    assert (table["difference"] == 0).all()
    assert aligned_layers(facts("conv9"), facts("conv9")).same.all()
