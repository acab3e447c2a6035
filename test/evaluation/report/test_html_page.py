from fastreid.evaluation.report.html_page import Section, make_page
from fastreid.utils.visualizer import RankedImage, RankedQuery


def test_names_of_any_script_are_listed_under_the_picture():
    first = RankedImage("/a/1.jpg", 0, 1, 0.5, pid_name="安娜 <b>", camid_name="hall")
    unknown = RankedImage("/a/2.jpg", -1, -1, 0.5)
    number = RankedImage("/a/\udcff.jpg", 8123101712, 1, 0.5)
    section = Section("best", "100% #1.png", (RankedQuery(number, 0.25, (first, unknown)),))
    page = make_page(["run"], [["a&b"]], [section])
    assert "<td>安娜 &lt;b&gt;, camera hall</td><td>unknown</td>" in page
    assert "<td>8123101712, camera 1</td>" in page
    assert "<td>25.0 %</td>" in page
    assert 'src="100%25%20%231.png"' in page
    assert "<td>a&amp;b</td>" in page
    page.encode("utf-8")
