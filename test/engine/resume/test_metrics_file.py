import json

from fastreid.engine.resume.metrics_file import rewind_metrics


def test_lines_after_the_checkpoint_and_broken_ones_go(tmp_path):
    path = tmp_path / "metrics.json"
    records = [{"iteration": i, "total_loss": 9 - i} for i in (0, 1, 2, 1, 3, 4)]
    lines = [json.dumps(record) for record in records]
    path.write_text("\n".join([*lines, "{}", "[1]", '{"iteration": 2, "total']))
    assert rewind_metrics(path, 3) == 5
    kept = [json.loads(line)["iteration"] for line in path.read_text().splitlines()]
    assert kept == [0, 1, 2, 1]
    before = path.stat().st_ino
    assert rewind_metrics(path, 3) == 0
    assert path.stat().st_ino == before


def test_a_run_without_metrics_has_nothing_to_remove(tmp_path):
    assert rewind_metrics(tmp_path / "metrics.json", 3) == 0
    assert list(tmp_path.iterdir()) == []
