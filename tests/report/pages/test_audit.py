import dataclasses
import json
from dataclasses import asdict

import numpy as np

from perdure.core.estimate import write_estimate, write_verdict
from perdure.report.pages.audit import build_audit_page, read_audit
from perdure.report.pages.page import render
from perdure.report.pieces import Gallery, Sentences
from tests.report.conftest import HOSTILE, of_images, of_texts


def test_a_page_tells_its_story_in_order(audit):
    page = build_audit_page(audit)
    assert page.lead == audit.answer
    assert [section.title for section in page.sections] == [
        "Verdicts",
        "Distribution of the attribution",
        "Samples",
        "Scores",
        "How to read this page",
        "Provenance",
    ]


def test_the_audit_comes_back_from_json_and_arrays(audit):
    record = {
        "title": audit.title,
        "subtitle": audit.subtitle,
        "answer": audit.answer,
        "labels": audit.labels,
        "provenance": audit.provenance,
        "models": [
            {
                "name": model.name,
                "accuracy": write_estimate(model.accuracy),
                "verdicts": [write_verdict(verdict) for verdict in model.verdicts],
            }
            for model in audit.models
        ],
        "scores": [{**vars(row), "number": write_estimate(row.number)} for row in audit.scores],
    }
    arrays = {"inputs": audit.inputs, "truth": audit.truth, "truth_profile": audit.truth_profile}
    arrays["mean_truth"] = audit.mean_truth
    for name, band in audit.profiles.items():
        arrays[f"profile/{name}"] = np.stack([band.mean, band.low, band.high])
    arrays |= {f"mean_map/{name}": values for name, values in audit.mean_maps.items()}
    arrays |= {f"map/{name}": values for name, values in audit.maps.items()}
    read = read_audit(json.loads(json.dumps(record)), arrays)
    assert (read.models, read.scores) == (audit.models, audit.scores)
    assert render(build_audit_page(read)) == render(build_audit_page(audit))


def test_without_truth_nothing_is_outlined(audit):
    blind = dataclasses.replace(audit, truth=None, truth_profile=None, mean_truth=None)
    galleries = [piece for s in build_audit_page(blind).sections for piece in s.pieces if isinstance(piece, Gallery)]
    panels = [panel for gallery in galleries for _, row in gallery.rows for panel in row]
    assert {panel.outline for panel in panels} == {""}
    assert [panel.caption for panel in galleries[1].rows[0][1]] == ["input", "LSTM"]


def test_rows_of_one_metric_stand_together(audit):
    row = audit.scores[0]
    other = dataclasses.replace(row, number=dataclasses.replace(row.number, name="AUROC"))
    table = build_audit_page(dataclasses.replace(audit, scores=(row, other, row))).sections[3].pieces[0]
    assert [(group.name, len(group.rows)) for group in table.groups] == [("LSTM", 2), ("AUROC", 1)]


def test_models_stand_side_by_side_for_each_question(audit):
    (model,) = audit.models
    other = dataclasses.replace(model.verdicts[0], question="Why?")
    models = tuple(dataclasses.replace(model, name=name, verdicts=(*model.verdicts, other)) for name in ("a", "b"))
    first, second = build_audit_page(dataclasses.replace(audit, models=models)).sections[0].pieces
    assert [card.subject for card in first.cards] == [card.subject for card in second.cards] == ["a", "b"]
    assert {card.verdict.question for card in second.cards} == {"Why?"}


def test_images_stand_beside_their_maps_and_have_no_time():
    page = build_audit_page(of_images())
    assert "Distribution of the attribution" not in [section.title for section in page.sections]
    (gallery,) = page.sections[1].pieces
    (image, found) = gallery.rows[0][1]
    assert (image.caption, found.caption) == ("image", "CNN")
    assert image.size == found.size == (9, 8)
    assert image.outline == found.outline != ""


def test_words_have_colours_and_are_never_markup():
    page = build_audit_page(of_texts(words=HOSTILE))
    pieces = [piece for section in page.sections for piece in section.pieces]
    (texts,) = [piece for piece in pieces if isinstance(piece, Sentences)]
    tokens = texts.rows[0][1][0].tokens
    assert "".join(token.text for token in tokens) == HOSTILE
    assert [token.truth for token in tokens] == [False, True, False]
    html = render(page)
    assert HOSTILE not in html
    assert 'class="token truth"' in html


def test_texts_come_back_from_json(audit):
    text = of_texts()
    record = {"title": "", "subtitle": "", "answer": "", "labels": ["a", "b"], "provenance": {}}
    record |= {"models": [], "scores": [], "texts": [asdict(one) for one in text.texts]}
    read = read_audit(json.loads(json.dumps(record)), {"inputs": text.inputs, "map/LSTM": text.maps["LSTM"]})
    assert read.texts == text.texts


def test_features_are_named_where_there_is_room_and_names_are_never_markup(audit):
    names = (HOSTILE, "b", "c", "d", "e")
    page = build_audit_page(dataclasses.replace(audit, features=names))
    panels = [
        panel
        for section in page.sections
        for piece in section.pieces
        if isinstance(piece, Gallery)
        for _, row in piece.rows
        for panel in row
    ]
    assert {panel.rows for panel in panels} == {names}
    assert {panel.ends for panel in panels} == {("step 1", "12")}
    assert HOSTILE not in render(page)
    read = read_audit(
        {"title": "", "subtitle": "", "answer": "", "labels": (), "provenance": {}, "models": (), "scores": ()}
        | {"features": names},
        {"inputs": audit.inputs},
    )
    assert read.features == names
