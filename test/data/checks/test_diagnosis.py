import pytest

from fastreid.data.checks.diagnosis import diagnose, why_not_scored

GOOD_QUERY = [("q1", 1, 0), ("q2", 2, 1)]
GOOD_GALLERY = [("g1", 1, 1), ("g2", 2, 0), ("g3", 9, 0)]


def test_a_test_set_without_faults_has_no_findings():
    assert diagnose(GOOD_QUERY, GOOD_GALLERY, junk_pids=(0,)) == []
    assert why_not_scored("Toy", GOOD_QUERY, GOOD_GALLERY, []) == ""


def test_identities_that_the_gallery_lacks_are_counted_and_named():
    query = [*GOOD_QUERY, *((f"x{n}", pid, 0) for n, pid in enumerate((7, 8, 7, 3, 4, 5, 6)))]
    assert diagnose(query, GOOD_GALLERY) == [
        "6 of 8 query identities are not in the gallery (3, 4, 5, 6, 7, ...); their 7 queries are "
        "left out."
    ]


def test_identities_with_images_of_one_camera_only_are_counted():
    (finding,) = diagnose([*GOOD_QUERY, ("q3", 9, 0)], GOOD_GALLERY)
    assert finding.startswith("1 queries have images of their identity in the gallery only from")


def test_a_set_of_a_single_camera_cannot_be_scored():
    query, gallery = [("q", 1, 4)], [("g", 1, 4)]
    (finding,) = diagnose(query, gallery)
    assert finding.startswith("All images are from one camera (4)")
    reported = why_not_scored("Toy", query, gallery, [finding])
    assert reported.startswith("No query of the test set Toy has a match in the gallery")
    assert finding in reported


def test_a_gallery_without_query_identities_cannot_be_scored():
    gallery = GOOD_GALLERY[2:]
    reported = why_not_scored("Toy", GOOD_QUERY, gallery, diagnose(GOOD_QUERY, gallery))
    assert "2 of 2 query identities are not in the gallery" in reported


@pytest.mark.parametrize(("query", "gallery"), [([], GOOD_GALLERY), (GOOD_QUERY, [])])
def test_a_set_without_query_or_gallery_cannot_be_scored(query, gallery):
    reported = why_not_scored("Toy", query, gallery, [])
    assert f"{len(query)} query and {len(gallery)} gallery images" in reported


def test_queries_of_junk_identities_are_counted():
    gallery = [*GOOD_GALLERY, ("g4", 0, 3)]
    (finding,) = diagnose([*GOOD_QUERY, ("j", 0, 2)], gallery, junk_pids=(0, -1))
    assert finding == "1 queries are of junk identities (-1, 0), which are not persons."


def test_files_that_are_listed_twice_are_counted():
    gallery = [*GOOD_GALLERY, ("g3", 9, 0), ("q1", 1, 3)]
    (finding,) = diagnose(GOOD_QUERY, gallery)
    assert finding == (
        "2 files are listed more than once, 1 of them as query and as gallery (g3, q1)."
    )


def test_copies_under_other_names_are_found(tmp_path):
    end = b"e" * 2000
    contents = {"a": b"1" + end, "b": b"1" + end, "c": b"2" + end, "d": b"", "e": b""}
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
    query = [(str(tmp_path / "a"), 1, 0)]
    gallery = [(str(tmp_path / name), 1, 1) for name in "bcde"]
    (finding,) = diagnose(query, gallery)
    assert finding == f"1 files are copies of others ({tmp_path / 'b'} is {tmp_path / 'a'})."
