import re
from html.parser import HTMLParser

import numpy as np
import pytest

from perdure.core.errors import PartError, RunFolderError
from perdure.records.attributions import read_map
from perdure.records.parts import part_path
from perdure.records.place import place
from perdure.records.plan import ExpectedFiles, Plan, write_plan
from perdure.records.run import open_run
from perdure.view.index import Selection
from perdure.view.parts import check_folder
from tests.report.conftest import HOSTILE
from tests.view.folders import write_folder


class Elements(HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.tags, self.links = [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        given = dict(attrs)
        assert not any(name.startswith("on") for name in given)
        self.tags.append(tag)
        self.links += [given[name] for name in ("href", "src", "action") if name in given]


def names(page):
    return re.findall(r'<tr><th scope="row"><a [^>]*>([^<]*)</a>', page)


def cells(page, column):
    rows = re.findall(r"<tr><th scope=\"row\">.*?</th>(.*?)</tr>", page)
    return [re.findall(r"<td[^>]*>([^<]*)</td>", row)[column] for row in rows]


def test_the_table_pages_sorts_and_filters(visit, tmp_path):
    write_folder(tmp_path / "run", rows=120)
    client = visit(tmp_path / "run")
    assert names(client.page("/"))[:3] == ["sample 0", "sample 1", "sample 2"]
    assert names(client.page("/?page=3")) == [f"sample {i}" for i in range(100, 120)]
    down = [float(value) for value in cells(client.page("/?sort=confidence&way=down"), 3)]
    assert down == sorted(down, reverse=True)
    assert down[0] > max(float(value) for value in cells(client.page("/?sort=confidence&way=up"), 3))
    assert set(cells(client.page("/?correct=wrong"), 2)) == {"wrong"}
    assert set(cells(client.page("/?label=1&correct=right"), 1)) == {"yes"}
    assert all(float(value) >= 0.9 for value in cells(client.page("/?by=confidence&low=0.9"), 3))
    assert names(client.page("/?id=ple+11")) == ["sample 11", *(f"sample {i}" for i in range(110, 120))]


def test_methods_and_runs_differ_by_one_minus_their_mean_correlation(visit, tmp_path):
    write_folder(tmp_path / "run", rows=5, models=("a", "b"))
    rows = visit(tmp_path / "run").explorer.index.page(Selection(), 0, 9)

    maps = {
        (m, k): abs(read_map(part_path(tmp_path / f"run/maps/{m}/{k}", 0), "sample 0").values).ravel()
        for m in range(2)
        for k in range(2)
    }
    within = 1 - np.corrcoef(maps[0, 0], maps[0, 1])[0, 1]
    across = 1 - np.mean([np.corrcoef(maps[0, k], maps[1, k])[0, 1] for k in range(2)])
    assert rows[0]["methods_differ"] == pytest.approx(within, abs=1e-5)
    assert rows[0]["runs_differ"] == pytest.approx(across, abs=1e-5)


@pytest.mark.parametrize("kind", ["series", "images", "texts"])
def test_a_sample_shows_every_method_on_one_scale_with_scores_and_curves(visit, tmp_path, kind):
    write_folder(tmp_path / "run", kind, rows=70, methods=("gradient", "saliency", "random"))
    page = visit(tmp_path / "run").page("/sample?name=sample+65&at=65")
    for method in ("gradient", "saliency", "random"):
        assert page.count(f"{method}</figcaption>") == 1
    assert page.count('class="strip"') == (2 if kind == "series" else 1)
    assert "insertion" in page
    assert page.count('class="chart"') == 1
    assert 'rel="prev" href="/sample?at=64"' in page
    assert {"series": "input</figcaption>", "images": "image</figcaption>", "texts": ">W</span>"}[kind] in page


def test_a_sample_without_its_input_is_drawn_by_its_maps(visit, tmp_path):
    write_folder(tmp_path / "run", "images", rows=3)
    for path in (tmp_path / "run/samples").iterdir():
        path.unlink()
    page = visit(tmp_path / "run").page("/sample?name=sample+1")
    assert "does not hold the input" in page
    assert "gradient</figcaption>" in page


def test_next_and_previous_follow_the_order_of_the_table(visit, tmp_path):
    write_folder(tmp_path / "run", rows=30)
    client = visit(tmp_path / "run")
    order = names(client.page("/?sort=confidence&way=down"))
    assert f"<h1>{order[7]}</h1>" in client.page("/sample?sort=confidence&way=down&at=7")


@pytest.mark.parametrize("host", ["evil.example", "evil.example:8517", "127.0.0.1.evil.example", "10.0.0.1"])
def test_another_host_name_is_refused(visit, tmp_path, host):
    write_folder(tmp_path / "run", rows=3)
    status, headers, text = visit(tmp_path / "run").get("/", host)
    assert status == 400
    assert "sample" not in text
    assert "content-security-policy" in headers


def test_answers_allow_no_script_and_no_other_site(visit, tmp_path):
    write_folder(tmp_path / "run", rows=3)
    client = visit(tmp_path / "run")
    for address in ("/", "/sample?name=sample+1", "/style.css", "/nothing"):
        _, headers, text = client.get(address)
        policy = headers["content-security-policy"]
        assert policy.startswith("default-src 'none'")
        assert "script-src" not in policy
        assert "<script" not in text
        assert headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
def test_only_reading_is_answered(visit, tmp_path, method):
    write_folder(tmp_path / "run", rows=3)
    assert visit(tmp_path / "run").get("/", method=method)[0] == 405


@pytest.mark.parametrize("address", ["/run.yaml", "/maps/0/0/part-00000.parquet", "/../run.yaml", "/%2e%2e/etc/passwd"])
def test_no_file_is_served(visit, tmp_path, address):
    write_folder(tmp_path / "run", rows=3)
    assert visit(tmp_path / "run").get(address)[0] == 404


def test_a_link_to_a_part_outside_is_not_followed(visit, tmp_path):
    write_folder(tmp_path / "other", rows=3, models=("secret",))
    write_folder(tmp_path / "run", rows=3)
    (tmp_path / "run/maps/linked").symlink_to(tmp_path / "other/maps")
    part_path(tmp_path / "run/maps/0/0", 7).symlink_to(part_path(tmp_path / "other/maps/0/0", 0))
    assert "secret" not in visit(tmp_path / "run").page("/")


def test_hostile_names_are_shown_as_text(visit, tmp_path):
    ids = (f"{HOSTILE} 0", "b?x=1&y=<i>", "c'\"`")
    write_folder(
        tmp_path / "run", rows=3, ids=ids, models=(HOSTILE, "b"), classes=(HOSTILE, "b"), features=(HOSTILE, "b", "c")
    )
    client = visit(tmp_path / "run")
    page = client.page("/")
    links = [link.replace("&amp;", "&") for link in re.findall(r'href="(/sample[^"]*)"', page)]
    assert len(set(links)) == 6
    for text in (page, *map(client.page, links)):
        elements = Elements(text)
        assert not {"script", "b", "i"} & set(elements.tags)
        assert all(link.startswith(("/", "data:")) for link in elements.links)
    assert len(set(names(page))) == 3


@pytest.mark.parametrize(
    "query",
    ["sort=1;drop", "sort=unit", "by=x&low=1", "by=confidence&low=a", "label=x", "page=0", "page=-1", "way=left"],
)
def test_a_value_that_cannot_be_used_is_named(visit, tmp_path, query):
    write_folder(tmp_path / "run", rows=3)
    status, _, text = visit(tmp_path / "run").get(f"/?{query}")
    assert status == 400
    assert "Remedy" in text


def test_an_unknown_sample_is_named(visit, tmp_path):
    write_folder(tmp_path / "run", rows=3)
    for query in ("name=x", "at=3", "at=-1", "at=99999999999999999999", ""):
        assert visit(tmp_path / "run").get(f"/sample?{query}")[0] == 404


def test_a_folder_that_is_written_shows_what_is_there(visit, tmp_path):
    open_run(tmp_path / "run", {"data": "made up"})
    write_plan(tmp_path / "run", Plan(("explain",), (ExpectedFiles("maps", "maps/*/*/part-*.parquet", 4),)))
    client = visit(tmp_path / "run")
    page = client.page("/")
    assert "maps: 0 of 4" in page
    assert "There is no map yet" in page
    write_folder(tmp_path / "run", rows=70, methods=("gradient",))
    write_plan(tmp_path / "run", Plan(("explain",), (ExpectedFiles("maps", "maps/*/*/part-*.parquet", 4),)))
    assert client.explorer.index.refresh()
    page = client.page("/")
    assert "maps: 2 of 4" in page
    assert "70 rows" in page


def test_a_damaged_part_is_named_and_the_rest_is_shown(visit, tmp_path):
    write_folder(tmp_path / "run", rows=100)
    part_path(tmp_path / "run/maps/0/0", 1).write_bytes(b"PAR1 nothing")
    part_path(tmp_path / "run/scores/0/1", 0).write_bytes(b"PAR1 nothing")
    page = visit(tmp_path / "run").page("/")
    assert page.count("is damaged") == 2
    assert "100 rows" in page


@pytest.mark.parametrize(
    ("folder", "error", "message"),
    [("nothing", PartError, "no such folder"), ("empty", PartError, "it is empty")],
)
def test_a_folder_without_maps_is_named(tmp_path, folder, error, message):
    (tmp_path / "empty").mkdir()
    with pytest.raises(error, match=message):
        check_folder(tmp_path / folder)


def test_a_store_is_named():
    with pytest.raises(RunFolderError, match="in a store"):
        check_folder(place("memory://run"))
