import json
import warnings

import numpy as np
import pytest
import torch
from PIL import Image

from perdure.core.errors import (
    CorruptFileWarning,
    DataError,
    EmptyDataError,
    LabelError,
    LeftOutWarning,
    SettingError,
    ShapeError,
)
from perdure.core.registry import DATASETS
from perdure.data.image_folder import ImageFolder
from tests.data.files import write_picture, write_pictures, write_voc

PLAIN = {"mean": (0.0, 0.0, 0.0), "deviation": (1.0, 1.0, 1.0)}


def load(folder, seed=0, size=8, **settings):
    return ImageFolder(str(folder), size=size, **settings).load(seed)


def parts(splits):
    return splits.train, splits.validation, splits.test


def write_published(folder, count=5):
    """Write the layout of InputIBA, with boxes for what is attributed."""
    classes = ("n01440764", "n02123045")
    write_pictures(
        folder, tuple(f"images/{part}/{item}" for part in ("estimation", "attribution") for item in classes), count
    )
    index = {"0": ["n01440764", "tench"], "1": ["n09999999", "crane"], "2": ["n02123045", "crane"]}
    (folder / "imagenet_class_index.json").write_text(json.dumps(index))
    for item in classes:
        for i in range(count):
            write_voc(folder / "annotations" / "attribution" / item / f"{item}_{i}.xml", (1, 1, 4, 3), name=item)
    return folder


def test_class_folders_side_by_side_are_split_by_the_seed(tmp_path):
    splits = load(write_pictures(tmp_path), **PLAIN)
    assert [len(part) for part in parts(splits)] == [12, 4, 4]
    assert splits.classes == ("cat", "dog")
    for part in parts(splits):
        for name, label, x in zip(part.id, part.label, part.inputs, strict=True):
            number = int(name.removesuffix(".png").rpartition("_")[2])
            assert name == f"{splits.classes[label]}/{splits.classes[label]}_{number}.png"
            expected = torch.tensor([number, 100, 50])[:, None, None] / 255.0
            torch.testing.assert_close(x, expected.expand(3, 8, 8))
        assert part.truth is None


@pytest.mark.parametrize("validation", ["validation", "val", None])
def test_folders_of_splits_are_kept(validation, tmp_path):
    places = [part for part in ("train", validation, "test") if part]
    write_pictures(tmp_path, tuple(f"{part}/{item}" for part in places for item in ("cat", "dog")))
    splits = load(tmp_path)
    assert [len(part) for part in parts(splits)] == ([20, 20, 20] if validation else [16, 4, 20])
    assert {name.split("/")[0] for name in splits.test.id} == {"test"}
    assert {name.split("/")[0] for name in splits.validation.id} == {validation or "train"}


def test_the_published_layout_gives_labels_of_imagenet_and_boxes_as_truth(tmp_path):
    splits = load(write_published(tmp_path), size=16)
    assert splits.classes == ("tench", "crane (n09999999)", "crane (n02123045)")
    assert [len(part) for part in parts(splits)] == [8, 2, 10]
    assert set(splits.test.label.tolist()) == {0, 2}
    assert splits.train.truth is None
    expected = torch.zeros(16, 16, dtype=torch.bool)
    expected[:8, :8] = True  # half of 8 columns and half of 6 rows
    assert torch.equal(splits.test.truth, expected.expand(10, 3, 16, 16))


def test_annotations_may_lie_flat(tmp_path):
    write_pictures(tmp_path, ("cat", "dog"))
    for item in ("cat", "dog"):
        for i in range(10):
            write_voc(tmp_path / "annotations" / f"{item}_{i}.xml", (1, 1, 4, 3), name=item)
    assert all(part.truth.any((1, 2, 3)).all() for part in parts(load(tmp_path)))


def test_pictures_of_one_name_in_two_classes_have_the_boxes_of_their_folders(tmp_path):
    for item, box in (("cat", (1, 1, 1, 1)), ("dog", (8, 6, 8, 6))):
        for i in range(5):
            write_picture(tmp_path / item / f"{i}.png")
            write_voc(tmp_path / "annotations" / item / f"{i}.xml", box, name=item)
    test = load(tmp_path).test
    for label, truth in zip(test.label, test.truth, strict=True):
        corner = (0, 0) if label == 0 else (7, 7)
        assert truth[:, corner[0], corner[1]].all()
        assert not truth[:, 7 - corner[0], 7 - corner[1]].any()


def test_pictures_of_one_name_in_two_splits_have_the_boxes_of_their_split(tmp_path):
    write_pictures(tmp_path, ("train/cat", "train/dog", "test/cat", "test/dog"))
    for part, box in (("train", (1, 1, 1, 1)), ("test", (8, 6, 8, 6))):
        for item in ("cat", "dog"):
            for i in range(10):
                write_voc(tmp_path / "annotations/boxes" / part / item / f"{item}_{i}.xml", box, name=item)
    splits = load(tmp_path)
    assert splits.train.truth[:, :, 0, 0].all()
    assert splits.test.truth[:, :, 7, 7].all()
    assert not splits.test.truth[:, :, 0, 0].any()


def test_two_annotations_of_one_picture_are_refused(tmp_path):
    write_pictures(tmp_path)
    for place in ("a", "b"):
        write_voc(tmp_path / "annotations" / place / "cat_0.xml", (1, 1, 2, 2))
    with pytest.raises(DataError, match=r"both annotate 'cat/cat_0.png'.*keep one"):
        load(tmp_path)


def test_where_some_pictures_have_a_box_the_user_chooses_what_becomes_of_the_others(tmp_path):
    write_published(tmp_path)
    (tmp_path / "annotations/attribution/n01440764/n01440764_2.xml").unlink()
    write_voc(tmp_path / "annotations/attribution/n02123045/n02123045_0.xml", (1, 1, 2, 2), name="dog")
    with pytest.raises(DataError, match=r"n01440764_2.png' has no box of its class, but 8 of the 10.*boxes=only"):
        load(tmp_path)
    assert len(load(tmp_path, boxes="only").test) == 8
    assert len(load(tmp_path, boxes="none").test) == 10
    assert load(tmp_path, boxes="none").test.truth is None


def test_pictures_that_their_boxes_fill_can_be_left_out(tmp_path):
    write_published(tmp_path)
    write_voc(tmp_path / "annotations/attribution/n02123045/n02123045_0.xml", (1, 1, 8, 6), name="n02123045")
    assert len(load(tmp_path).test) == 10
    kept = load(tmp_path, largest_box=0.33).test
    assert [name for name in kept.id if name.endswith("n02123045_0.png")] == []
    assert len(kept) == 9


def test_a_box_outside_its_picture_is_named(tmp_path):
    write_pictures(tmp_path)
    write_voc(tmp_path / "annotations" / "cat_3.xml", (1, 1, 80, 6))
    with pytest.raises(DataError, match=r"cat_3.xml' goes from \(1, 1\) to \(80, 6\)"):
        load(tmp_path)


def test_corrupt_pictures_are_all_named_before_anything_is_computed(tmp_path):
    write_pictures(tmp_path)
    for name in ("cat/cat_1.png", "dog/dog_7.png"):
        (tmp_path / name).write_bytes((tmp_path / name).read_bytes()[:30])
    (tmp_path / "dog/empty.jpeg").touch()
    message = r"3 of 21 pictures cannot be read: 'cat/cat_1.png'.*'dog/dog_7.png'.*'dog/empty.jpeg'"
    with pytest.raises(DataError, match=message + r".*skip_corrupt=true"):
        load(tmp_path)
    with pytest.warns(CorruptFileWarning, match=message):
        splits = load(tmp_path, skip_corrupt=True)
    assert sum(map(len, parts(splits))) == 18


def test_sizes_may_be_kept_when_they_are_equal(tmp_path):
    write_pictures(tmp_path)
    assert load(tmp_path, size=None).test.inputs.shape == (4, 3, 6, 8)
    write_picture(tmp_path / "dog" / "wide.png", 6, 9)
    with pytest.raises(ShapeError, match=r"has 6 rows and 8 columns, 'dog/wide.png' has 6 and 9.*give size=224"):
        load(tmp_path, size=None)


def test_a_few_of_each_class_are_drawn_by_the_seed(tmp_path):
    write_pictures(tmp_path, ("test/cat", "test/dog", "train/cat", "train/dog"), 20)
    splits, again, other = (load(tmp_path, seed, per_class=5) for seed in (0, 0, 1))
    assert splits.test.label.bincount().tolist() == [5, 5]
    assert splits.test.id == again.test.id != other.test.id
    assert len(splits.train) + len(splits.validation) == 10


def test_hidden_files_are_skipped(tmp_path):
    write_pictures(tmp_path)
    write_picture(tmp_path / "cat" / "A.JPEG")
    write_picture(tmp_path / ".cache" / "b.png")
    write_picture(tmp_path / "cat" / ".c.png")
    write_picture(tmp_path / "__MACOSX" / "cat" / "._0.png")
    (tmp_path / "dog" / "Thumbs.db").write_bytes(b"")
    (tmp_path / "README.md").write_text("")
    assert sum(map(len, parts(load(tmp_path)))) == 21


@pytest.mark.parametrize("suffix", ["webp", "bmp", "gif", "tif", "TIFF", "jfif", "jpe", "jp2", "ppm", "tga", "JPG"])
def test_every_format_that_pillow_reads_is_read_at_any_depth(suffix, tmp_path):
    write_pictures(tmp_path)
    for i in range(10):
        write_picture(tmp_path / "owl" / "barn" / "young" / f"{i}.{suffix}")
    splits = load(tmp_path, **PLAIN)
    assert splits.classes == ("cat", "dog", "owl")
    owls = [
        (name, x)
        for part in parts(splits)
        for name, label, x in zip(part.id, part.label, part.inputs, strict=True)
        if label == 2
    ]
    assert sorted(name for name, _ in owls) == [f"owl/barn/young/{i}.{suffix}" for i in range(10)]
    for _, x in owls:
        torch.testing.assert_close(x.mean((1, 2)), torch.tensor([200, 100, 50]) / 255, atol=0.02, rtol=0)


def test_what_is_left_out_is_counted(tmp_path):
    write_pictures(tmp_path, ("train/cat", "train/dog", "test/cat", "test/dog"))
    write_picture(tmp_path / "more" / "cat" / "0.png")
    write_picture(tmp_path / "cover.png")
    for name in ("a.heic", "b.heic", "notes.txt"):
        (tmp_path / "test" / "dog" / name).write_bytes(b"")
    message = r"5 of 45 files are left out \(2 .png, 2 .heic, 1 .txt\).*'cover.png', 'more/cat/0.png'.* and more"
    with pytest.warns(LeftOutWarning, match=message):
        assert len(load(tmp_path).test) == 20


def test_a_class_without_pictures_is_refused(tmp_path):
    write_pictures(tmp_path)
    (tmp_path / "owl").mkdir()
    with pytest.raises(EmptyDataError, match=r"class folder '.*owl' holds no picture; it has no files.*remove"):
        load(tmp_path)
    (tmp_path / "owl" / "a.heic").write_bytes(b"")
    with pytest.raises(EmptyDataError, match=r"owl' holds no picture; it has 1 .heic"):
        load(tmp_path)
    (tmp_path / "owl" / "a.png").write_bytes(b"")
    (tmp_path / "owl" / "a.heic").unlink()
    with (
        pytest.warns(CorruptFileWarning, match="owl/a.png"),
        pytest.raises(EmptyDataError, match="all pictures of the class 'owl' are damaged"),
    ):
        load(tmp_path, skip_corrupt=True)


@pytest.mark.parametrize("names", [("Train", "Test"), ("training", "testing"), ("test", "val")])
def test_folders_of_splits_are_not_taken_for_classes(names, tmp_path):
    write_pictures(tmp_path, tuple(f"{part}/{item}" for part in names for item in ("cat", "dog")))
    with pytest.raises(DataError, match=r"a folder '\w+' but no folder 'train'"):
        load(tmp_path)


def test_a_loop_of_links_ends(tmp_path):
    write_pictures(tmp_path)
    (tmp_path / "cat" / "again").symlink_to(tmp_path / "cat", target_is_directory=True)
    assert sum(map(len, parts(load(tmp_path)))) == 20


@pytest.mark.parametrize("suffix", ["png", "tif"])
def test_sixteen_bits_keep_their_brightness(suffix, tmp_path):
    """Two classes that differ by brightness alone, means 20000 / 65535 and 10000 / 65535."""
    for name, value in (("bright", 20000), ("dark", 10000)):
        (tmp_path / name).mkdir()
        for i in range(5):
            Image.fromarray(np.full((6, 8), value, np.uint16)).save(tmp_path / name / f"{i}.{suffix}")
    for part in parts(load(tmp_path, **PLAIN)):
        for label, x in zip(part.label, part.inputs, strict=True):
            torch.testing.assert_close(x, torch.full((3, 8, 8), (0.30518, 0.15259)[label]), atol=1e-5, rtol=0)


def test_names_of_files_cannot_control_a_terminal(tmp_path):
    write_pictures(tmp_path)
    (tmp_path / "cat" / "\x1b[31m.png").write_bytes(b"")
    with pytest.raises(DataError, match="1 of 21") as caught:
        load(tmp_path)
    assert "\x1b" not in str(caught.value)


def test_boxes_of_a_picture_as_it_is_stored_do_not_fit_one_that_is_turned(tmp_path):
    write_pictures(tmp_path)
    turned = Image.Exif()
    turned[274] = 6
    Image.new("RGB", (8, 6)).save(tmp_path / "cat" / "cat_0.png", exif=turned)
    write_voc(tmp_path / "annotations" / "cat_0.xml", (1, 1, 2, 2))
    with pytest.raises(DataError, match=r"cat_0.xml' annotates the picture as it is stored.*EXIF"):
        load(tmp_path)


@pytest.mark.parametrize(
    ("places", "error", "message"),
    [
        ((), DataError, "there is no folder"),
        (("",), EmptyDataError, "holds no pictures in class folders"),
        (("cat",), LabelError, "every picture has the class 'cat'"),
        (("train/cat", "train/dog"), DataError, "a folder 'train' but no folder 'test'"),
    ],
)
def test_a_folder_that_is_no_dataset(places, error, message, tmp_path):
    write_pictures(tmp_path / "data", tuple(place for place in places if place))
    if places:
        (tmp_path / "data").mkdir(exist_ok=True)
    with pytest.raises(error, match=message):
        load(tmp_path / "data")


def test_an_index_that_does_not_fit_is_named(tmp_path):
    write_published(tmp_path)
    write_picture(tmp_path / "images/attribution/n00000001/a.png")
    with pytest.raises(LabelError, match=r"'n00000001' is not in imagenet_class_index.json"):
        load(tmp_path)
    (tmp_path / "imagenet_class_index.json").write_text('{"1": ["n01440764", "tench"]}')
    with pytest.raises(DataError, match=r"imagenet_class_index.json' cannot be used"):
        load(tmp_path)


def test_settings_can_be_written_as_on_the_command_line(tmp_path):
    made = DATASETS.make(f"image_folder:path={tmp_path},size=None,mean=[0.5, 0.5, 0.5],boxes=only")
    assert made == ImageFolder(str(tmp_path), None, (0.5, 0.5, 0.5), boxes="only")


@pytest.mark.parametrize(
    ("settings", "message"),
    [({"size": 0}, "size is 0"), ({"boxes": "all"}, "boxes is 'all'"), ({"largest_box": 0.0}, "largest_box is 0.0")],
)
def test_a_wrong_setting_is_named(settings, message):
    with pytest.raises(SettingError, match=message):
        ImageFolder("nowhere", **settings)


def test_whole_pictures_bring_no_warning(tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        load(write_pictures(tmp_path), skip_corrupt=True)
