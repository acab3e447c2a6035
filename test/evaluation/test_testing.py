import logging

import pytest

from fastreid.evaluation import flatten_results_dict, print_csv_format


def test_the_table_names_the_data_set_and_rounds_to_two_digits(caplog):
    results = {"dataset": "Market1501", "Rank-1": 87.654, "mAP": 70.0}
    with caplog.at_level(logging.INFO):
        print_csv_format(results)
    for line in (
        "Evaluation results in csv format:",
        "| Dataset    | Rank-1   | mAP   |",
        "| Market1501 | 87.65    | 70.00 |",
    ):
        assert line in caplog.text
    assert "dataset" in results


def test_results_without_a_name_are_refused():
    with pytest.raises(KeyError, match="need the key 'dataset'; they have .*mAP"):
        print_csv_format({"mAP": 1.0})


def test_nested_names_are_joined():
    nested = {"Market1501": {"mAP": 1.0, "more": {"x": 2}}, "Rank-1": 3}
    assert flatten_results_dict(nested) == {
        "Market1501/mAP": 1.0,
        "Market1501/more/x": 2,
        "Rank-1": 3,
    }
