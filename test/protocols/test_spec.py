import pytest

from fastreid.protocols import Cell, cells_of, plan_runs, read_protocol

from .files import FOLDER, changed, write_protocol


@pytest.fixture
def protocol(tmp_path):
    values = changed(SPLITS={"CUHK03": 10, "MSMT17": [0, 2, 4]})
    return read_protocol(write_protocol(tmp_path / "small.yml", values))


def test_routes_with_the_same_sources_share_a_training(protocol):
    runs = plan_runs(protocol.routes, [0, 1])
    assert [run.key for run in runs] == [
        *("CS+M_seed0", "CS+MS_seed0", "CS+M_seed1", "CS+MS_seed1"),
    ]
    assert runs[0].targets == ("CUHK03", "MSMT17")
    assert runs[0].sources == ("cuhkSYSU", "Market1501")


def test_cells_are_all_routes_with_all_seeds(protocol):
    cells = cells_of(plan_runs(protocol.routes, [0, 1, 2]))
    assert len(cells) == len(set(cells)) == 9
    assert set(cells) == {Cell(route, seed) for route in protocol.routes for seed in range(3)}


def test_targets_select_routes_in_the_order_of_the_protocol(protocol):
    chosen = protocol.select(["Market1501", "CUHK03"])
    assert [route.label for route in chosen] == ["CS+M->C3", "CS+MS->M"]
    assert protocol.select() == protocol.routes


def test_fewer_splits_are_the_first_ones_of_each_target(protocol):
    splits = {route.target: route.splits for route in protocol.select(num_splits=2)}
    assert splits == {"CUHK03": (0, 1), "MSMT17": (0, 2), "Market1501": (0,)}


def test_an_unknown_target_is_refused_with_a_near_one(protocol):
    with pytest.raises(ValueError, match="'CUHK3' is not a target of small. Did you mean 'CUHK03'"):
        protocol.select(["CUHK3"])


@pytest.mark.parametrize("count", [0, -1, 11])
def test_a_number_of_splits_that_the_protocol_lacks_is_refused(protocol, count):
    with pytest.raises(ValueError, match=f"--splits is {count}; small has 10 test split"):
        protocol.select(num_splits=count)


def test_a_single_source_is_trained_once_for_all_its_targets():
    protocol = read_protocol(FOLDER / "single_source.yml")
    runs = plan_runs(protocol.routes, [0])
    assert len(runs) == len({route.sources for route in protocol.routes}) < len(protocol.routes)
