import hashlib
import json

import pytest

from fastreid.protocols import Route, Run, RunFolder, is_done
from fastreid.protocols.run_folder import hash_of_file

from .files import score, write_result

RUN = Run((Route(("cuhkSYSU",), "CUHK03", (0, 1)), Route(("cuhkSYSU",), "MSMT17")), 0)


def test_a_run_is_done_when_all_targets_and_splits_have_scores(tmp_path):
    assert not is_done(RunFolder(tmp_path / "none"), RUN)
    scores = [score("CUHK03"), score("CUHK03", split=1)]
    assert not is_done(write_result(tmp_path / "half", ["cuhkSYSU"], 0, scores), RUN)
    scores.append(score("MSMT17"))
    assert is_done(write_result(tmp_path / "whole", ["cuhkSYSU"], 0, scores), RUN)


def test_a_folder_accepts_the_same_settings_again(tmp_path):
    folder = RunFolder(tmp_path / "run")
    for _ in range(2):
        folder.claim({"SOLVER.MAX_EPOCH": 60, "INPUT.SIZE_TEST": [256, 128]})


def test_a_folder_refuses_other_settings_and_names_them(tmp_path):
    folder = RunFolder(tmp_path / "run")
    folder.claim({"SOLVER.MAX_EPOCH": 60, "SEED": 1})
    with pytest.raises(ValueError, match="other settings: SOLVER.MAX_EPOCH 60, now 5. Choose ano"):
        folder.claim({"SOLVER.MAX_EPOCH": 5, "SEED": 1})


def test_settings_that_another_version_has_are_not_compared(tmp_path):
    folder = RunFolder(tmp_path / "run")
    folder.claim({"SEED": 1, "OLD.KEY": 1})
    folder.claim({"SEED": 1, "NEW.KEY": 2})


def test_the_iterations_are_those_of_the_last_complete_line(tmp_path):
    folder = RunFolder(tmp_path)
    assert folder.iterations() == 0
    lines = [json.dumps({"iteration": i}) for i in (0, 19, 39)]
    (tmp_path / "metrics.json").write_text("\n".join([*lines, '{"iterat']))
    assert folder.iterations() == 40


def test_a_damaged_result_is_refused_with_its_path(tmp_path):
    (tmp_path / "result.json").write_text('{"scores": [')
    with pytest.raises(ValueError, match="result.json is damaged.*remove it"):
        RunFolder(tmp_path).result()
    (tmp_path / "result.json").write_text("[]")
    with pytest.raises(ValueError, match="holds no object"):
        RunFolder(tmp_path).result()


def test_the_last_words_of_a_run_are_its_last_lines(tmp_path):
    folder = RunFolder(tmp_path)
    assert folder.last_words() == ""
    folder.output.write_text("a\nb\n\nc\nd\n")
    assert folder.last_words(2) == "c\nd"


def test_the_hash_of_a_file_is_its_sha_256(tmp_path):
    content = bytes(range(256)) * 5000
    (tmp_path / "f").write_bytes(content)
    assert hash_of_file(tmp_path / "f") == hashlib.sha256(content).hexdigest()
