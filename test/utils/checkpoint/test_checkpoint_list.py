import pytest

from fastreid.utils.checkpoint.checkpoint_list import CheckpointList


def put(names, *added, kept=2):
    for name in added:
        names.put_first(name, rolling="r", kept=kept)


def test_the_newest_comes_first_and_old_rolling_checkpoints_are_deleted(tmp_path):
    for name in ("r1", "r2", "r3", "best", "r4"):
        (tmp_path / name).write_bytes(b"")
    names = CheckpointList(tmp_path)
    put(names, "best", "r1", "r2", "best", "r3")
    assert names.read() == ["r3", "best", "r2"]
    assert not (tmp_path / "r1").exists()
    again = CheckpointList(tmp_path)
    assert again.resume() == ["r3", "best", "r2"]
    put(again, "r4")
    assert again.read() == ["r4", "r3", "best"]
    assert not (tmp_path / "r2").exists()
    assert (tmp_path / "best").exists()


def test_a_name_is_listed_once(tmp_path):
    for name in ("r1", "r2", "r3"):
        (tmp_path / name).write_bytes(b"")
    names = CheckpointList(tmp_path)
    put(names, "r1", "r2", "r1", "r3")
    assert names.read() == ["r3", "r1"]
    assert sorted(path.name for path in tmp_path.glob("r*")) == ["r1", "r3"]


def test_a_folder_without_a_list_has_no_checkpoints(tmp_path):
    assert CheckpointList(tmp_path / "none").resume() == []


def test_a_list_of_one_line_is_read(tmp_path):
    (tmp_path / "last_checkpoint").write_text("model_final.ckpt")
    assert CheckpointList(tmp_path).read() == ["model_final.ckpt"]


@pytest.mark.parametrize(
    "text", [b"", b"\n", b"../a.ckpt", b"a.ckpt\n/etc/passwd", b"\xff", b"a\0"]
)
def test_a_damaged_list_is_refused_with_advice(tmp_path, text):
    (tmp_path / "last_checkpoint").write_bytes(text)
    with pytest.raises(ValueError, match="last_checkpoint .*Write the name of a .ckpt file"):
        CheckpointList(tmp_path).read()
