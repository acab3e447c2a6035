import fcntl
import os
import time

from fastreid.engine.launch.job_folder import job_folder, remove_leftovers


def test_each_job_has_a_folder_that_is_removed_at_its_end(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with job_folder() as first, job_folder() as second:
        assert first != second
        # A supervisor that starts meanwhile leaves them alone.
        assert first.is_dir()
    assert list(tmp_path.iterdir()) == []


def test_folders_of_supervisors_that_were_killed_are_removed(tmp_path):
    held, dead, fresh, old, other = (
        tmp_path / name
        for name in ("fastreid-job-a", "fastreid-job-b", "fastreid-job-c", "fastreid-job-d", "x")
    )
    for folder in (held, dead, fresh, old, other):
        folder.mkdir()
        (folder / "rank_0.txt").write_text("words")
    for folder in (held, dead):
        (folder / "lock").touch()
    os.utime(old, (time.time() - 7200,) * 2)
    with (held / "lock").open("rb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        remove_leftovers(tmp_path)
    assert sorted(tmp_path.iterdir()) == [held, fresh, other]


def test_a_lock_is_held_before_another_supervisor_can_find_it(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    flock, seen = fcntl.flock, []

    def look_first(file, how):
        monkeypatch.setattr(fcntl, "flock", flock)
        remove_leftovers(tmp_path)
        seen.extend(tmp_path.iterdir())
        flock(file, how)

    monkeypatch.setattr(fcntl, "flock", look_first)
    with job_folder() as folder:
        assert seen == [folder]
        remove_leftovers(tmp_path)
        assert folder.is_dir()
