"""The benchmark of galleries runs."""

from benchmarks.gallery import main


def test_a_row_is_printed_for_each_kind(capsys):
    main(["--rows", "300", "--part", "200", "--queries", "2", "--kinds", "folder", "faiss"])
    lines = capsys.readouterr().out.splitlines()
    assert [line.split("|")[1].strip() for line in lines[2:]] == ["folder", "faiss"]
