import pytest
import torch

from perdure.core.errors import DataError
from perdure.data._read.voc import Box, mark_boxes, read_boxes
from tests.data.files import write_voc


def test_boxes_of_the_class_are_read_and_others_left_out(tmp_path):
    path = write_voc(tmp_path / "a.xml", (1, 2, 3, 4), (5, 5, 8, 6))
    assert read_boxes(path, {"cat", "n02123045"}, 8, 6) == [Box(1, 2, 3, 4), Box(5, 5, 8, 6)]
    assert read_boxes(path, {"dog"}, 8, 6) == []


def test_without_a_resize_the_truth_is_the_box_to_the_pixel():
    """Pixels are numbered from 1, and the last one belongs to the box."""
    truth = mark_boxes([Box(2, 3, 4, 3)], 8, 6, (6, 8))
    assert truth.nonzero().tolist() == [[2, 1], [2, 2], [2, 3]]


@pytest.mark.parametrize("size", [1, 3, 7, 24])
def test_a_box_is_never_lost_and_a_whole_one_stays_whole(size):
    assert mark_boxes([Box(5, 5, 5, 5)], 8, 6, (size, size)).any()
    for whole in (Box(1, 1, 8, 6), Box(0, 0, 8, 6)):
        assert mark_boxes([whole], 8, 6, (size, size)).all()


def test_a_box_grows_with_the_picture():
    small, large = (mark_boxes([Box(2, 1, 5, 3)], 8, 6, shape) for shape in ((6, 8), (60, 80)))
    assert torch.equal(small.repeat_interleave(10, 0).repeat_interleave(10, 1), large)


@pytest.mark.parametrize("box", [(1, 1, 9, 6), (1, 1, 8, 7), (-1, 1, 3, 3), (5, 1, 4, 3), (1, 5, 4, 3)])
def test_a_box_outside_the_picture_or_empty_is_named(box, tmp_path):
    path = write_voc(tmp_path / "a.xml", box)
    message = rf"a box in '.*a.xml' goes from \({box[0]}, {box[1]}\) to .* 8 columns and 6 rows"
    with pytest.raises(DataError, match=message):
        read_boxes(path, {"cat"}, 8, 6)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("<annotation><object>", "cannot be read"),
        ("", "cannot be read"),
        ("<a><object><name>cat</name><bndbox><xmin>left</xmin></bndbox></object></a>", "has a box of .*'left', None"),
        ("<a><object><name>cat</name></object></a>", "has a box of"),
    ],
)
def test_a_damaged_annotation_is_named(text, message, tmp_path):
    (tmp_path / "a.xml").write_text(text)
    with pytest.raises(DataError, match=message):
        read_boxes(tmp_path / "a.xml", {"cat"}, 8, 6)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_entities_are_refused_before_they_are_read(encoding, tmp_path):
    """One that names a file of this machine, and one that would grow to a gigabyte."""
    (tmp_path / "secret").write_text("cat")
    outside = f'<!DOCTYPE a [<!ENTITY e SYSTEM "file://{tmp_path}/secret">]><a><object><name>&e;</name></object></a>'
    growing = "".join(f'<!ENTITY e{i} "{f"&e{i - 1};" * 10 if i else "x" * 10}">' for i in range(9))
    for text in (outside, f"<!DOCTYPE a [{growing}]><a><object><name>&e8;</name></object></a>"):
        (tmp_path / "a.xml").write_text(f'<?xml version="1.0" encoding="{encoding}"?>{text}', encoding=encoding)
        with pytest.raises(DataError, match="declares a document type"):
            read_boxes(tmp_path / "a.xml", {"cat"}, 8, 6)
