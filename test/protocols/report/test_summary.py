import pytest

from fastreid.protocols import read_protocol
from fastreid.protocols.report import summarize_runs

from ..files import changed, score, write_protocol, write_result

BOTH = ("last", "target")


@pytest.fixture
def protocol(tmp_path):
    return read_protocol(write_protocol(tmp_path / "small.yml"))


def write_seed(folder, seed, c3, m, **changes):
    """Two runs of a seed, which fill the routes to CUHK03 and Market1501."""
    of_c3 = [score("CUHK03", selection=s, mean_ap=c3, rank_1=c3 + 1) for s in BOTH]
    of_m = [score("Market1501", selection=s, mean_ap=m, rank_1=m + 1) for s in BOTH]
    return [
        write_result(folder / f"a{seed}", ["cuhkSYSU", "Market1501"], seed, of_c3, **changes),
        write_result(folder / f"b{seed}", ["cuhkSYSU", "MSMT17"], seed, of_m, **changes),
    ]


def test_our_rows_are_means_over_seeds_beside_published_ones(protocol, tmp_path):
    folders = [*write_seed(tmp_path, 0, 30, 50), *write_seed(tmp_path, 1, 34, 60)]
    summary = summarize_runs(protocol, folders)
    published, last, best = summary.rows
    assert published.fields["CS+M->C3"]["mAP"].mean == 30.0
    assert published.fields["average"]["Rank-1"].mean == pytest.approx((20.5 + 70.5) / 2)
    assert (last.method, best.method) == ("ACL here, last epoch", "ACL here, best on target")
    field = last.fields["CS+M->C3"]["mAP"]
    assert (field.mean, field.sd_seeds) == (32, pytest.approx(2**1.5))
    average = last.fields["average"]["mAP"]
    assert average.mean == pytest.approx((40 + 47) / 2)
    assert average.sd_seeds == pytest.approx(7 / 2**0.5)
    assert "CS+M->MS" not in last.fields


def test_an_average_needs_a_score_of_every_target(protocol, tmp_path):
    folder, _ = write_seed(tmp_path, 0, 30, 50)
    last = summarize_runs(protocol, [folder]).ours[0]
    assert set(last.fields) == {"CS+M->C3"}


def test_methods_of_one_folder_have_rows_of_their_own(protocol, tmp_path):
    folders = write_seed(tmp_path / "x", 0, 30, 50)
    folders += write_seed(tmp_path / "y", 0, 40, 60, method="SBS")
    methods = [row.method for row in summarize_runs(protocol, folders).ours]
    assert methods == [
        *("ACL here, last epoch", "ACL here, best on target"),
        *("SBS here, last epoch", "SBS here, best on target"),
    ]


def test_differences_of_runs_are_listed_once(protocol, tmp_path):
    folders = write_seed(tmp_path, 0, 30, 50, differences=["MSMT17: another version."])
    assert summarize_runs(protocol, folders).differences == ["MSMT17: another version."]


def test_runs_with_other_data_or_code_than_their_neighbours_are_reported(protocol, tmp_path):
    folders = write_seed(tmp_path, 0, 30, 50)
    other = {"train": {"ids": 8, "images": 32, "hash": "ef" * 32}}
    data = {"cuhkSYSU": {"version": "", "is_demo": False, "subsets": other}}
    folders += write_seed(tmp_path, 1, 30, 50, data=data, git="other")
    assert summarize_runs(protocol, folders).differences == [
        "cuhkSYSU, train: the runs of this table had different images or labels.",
        "The runs of this table are from 2 states of the code.",
    ]


def test_fewer_splits_than_those_of_the_protocol_are_reported(tmp_path):
    values = changed(SPLITS={"CUHK03": 10})
    protocol = read_protocol(write_protocol(tmp_path / "small.yml", values))
    scores = [score("CUHK03", split=k, selection=s, mean_ap=k) for s in BOTH for k in (0, 1, 2)]
    folder = write_result(tmp_path / "a", ["cuhkSYSU", "Market1501"], 0, scores)
    summary = summarize_runs(protocol, [folder])
    assert summary.differences == ["CUHK03: 3 of the protocol's 10 test splits."]
    field = summary.ours[0].fields["CS+M->C3"]["mAP"]
    assert (field.mean, field.sd_splits, field.num_splits) == (1, 1, 3)


def test_every_run_is_traced_to_its_files_code_and_data(protocol, tmp_path):
    folders = write_seed(tmp_path, 0, 30, 50)
    origin = summarize_runs(protocol, folders).origins[0]
    assert origin["config"] == str(tmp_path / "a0" / "config.yaml")
    assert origin["commit"] == "0123456789abcdef"
    assert origin["data"]["cuhkSYSU"]["train"] == "cd" * 32
    assert origin["checkpoints"]["last"]["sha256"] == "ab" * 32


def test_a_result_of_another_protocol_is_refused(protocol, tmp_path):
    folders = write_seed(tmp_path, 0, 30, 50, protocol="protocol3")
    with pytest.raises(ValueError, match="a result of 'protocol3', not of small"):
        summarize_runs(protocol, folders)


def test_a_folder_without_results_is_refused(protocol):
    with pytest.raises(ValueError, match="no run has finished"):
        summarize_runs(protocol, [])
