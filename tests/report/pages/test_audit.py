import dataclasses
import json

from perdure.audit.result import QUESTIONS, Audit, Verdicts
from perdure.core.estimate import Verdict, write_verdict
from perdure.report.pages.audit import build_audit_page
from perdure.report.pages.page import render
from perdure.report.pieces import Gallery, Sentences
from tests.report.conftest import HOSTILE, of_images, of_texts


def test_the_sections_of_a_page_are_in_order(audit):
    page = build_audit_page(audit)
    assert page.lead == audit.answer
    assert [section.title for section in page.sections] == [
        "Methods",
        "Verdicts",
        "Distribution of the attribution",
        "Samples",
        "Scores",
        "How to read this page",
        "Provenance",
    ]


def test_the_audit_comes_back_from_json_and_arrays(audit):
    record = json.loads(json.dumps(audit.to_dict()))
    read = Audit.from_dict(record, audit.arrays)
    assert read.models == audit.models
    assert read.to_dict() == record
    assert read.html == audit.html == render(build_audit_page(audit))


def test_a_record_of_version_0_1_has_the_verdicts_of_the_first_method(audit):
    record = json.loads(json.dumps(audit.to_dict()))
    verdicts = [write_verdict(Verdict(question, "yes", "good", ".")) for question in QUESTIONS.values()]
    for model in record["models"]:
        for name in ("methods", "recommended", "outputs"):
            del model[name]
        model["verdicts"] = verdicts
    record["scores"].append({**record["scores"][0], "method": "other"})
    (model,) = Audit.from_dict(record, audit.arrays).models
    assert [(method.name, len(list(method.verdicts))) for method in model.methods] == [("LSTM", 3), ("other", 0)]
    assert model.methods[0].verdicts.across_runs.question == QUESTIONS["across_runs"]
    assert model.methods[0].seconds is model.methods[0].passes is None
    assert model.recommended == "LSTM"


def test_without_truth_nothing_is_outlined(audit):
    blind = dataclasses.replace(audit, arrays={k: v for k, v in audit.arrays.items() if "truth" not in k})
    galleries = [piece for s in build_audit_page(blind).sections for piece in s.pieces if isinstance(piece, Gallery)]
    panels = [panel for gallery in galleries for _, row in gallery.rows for panel in row]
    assert {panel.outline for panel in panels} == {""}
    assert [panel.caption for panel in galleries[1].rows[0][1]] == ["input", "LSTM"]


def test_rows_of_one_metric_are_grouped(audit):
    (model,) = audit.models
    number = model.methods[0].scores[0]
    scores = (number, dataclasses.replace(number, name="AUROC"), number)
    methods = (dataclasses.replace(model.methods[0], scores=scores),)
    models = (dataclasses.replace(model, methods=methods),)
    table = build_audit_page(dataclasses.replace(audit, models=models)).sections[4].pieces[0]
    assert [(group.name, len(group.rows)) for group in table.groups] == [("LSTM", 2), ("AUROC", 1)]


def test_models_are_side_by_side_for_each_question(audit):
    (model,) = audit.models
    (verdict,) = model.verdicts
    verdicts = Verdicts(down_to_input=verdict, across_runs=dataclasses.replace(verdict, question="Why?"))
    methods = (dataclasses.replace(model.methods[0], verdicts=verdicts),)
    models = tuple(dataclasses.replace(model, name=name, methods=methods) for name in ("a", "b"))
    first, second = build_audit_page(dataclasses.replace(audit, models=models)).sections[1].pieces
    assert [card.subject for card in first.cards] == [card.subject for card in second.cards] == ["a", "b"]
    assert {card.verdict.question for card in second.cards} == {"Why?"}


def test_images_are_next_to_their_maps_and_have_no_time():
    page = build_audit_page(of_images())
    assert "Distribution of the attribution" not in [section.title for section in page.sections]
    (gallery,) = page.sections[2].pieces
    (image, result) = gallery.rows[0][1]
    assert (image.caption, result.caption) == ("image", "CNN")
    assert image.size == result.size == (9, 8)
    assert image.outline == result.outline != ""


def test_words_have_colours_and_are_never_markup():
    page = build_audit_page(of_texts(words=HOSTILE))
    pieces = [piece for section in page.sections for piece in section.pieces]
    (texts,) = [piece for piece in pieces if isinstance(piece, Sentences)]
    tokens = texts.rows[0][1][0].tokens
    assert "".join(token.text for token in tokens) == HOSTILE
    assert [token.truth for token in tokens] == [False, True, False]
    html = render(page)
    assert HOSTILE not in html
    assert 'truth" title=' in html


def test_texts_come_back_from_json():
    text = of_texts()
    assert Audit.from_dict(json.loads(json.dumps(text.to_dict())), text.arrays).texts == text.texts


def test_features_are_named_where_there_is_space_and_names_are_never_markup(audit):
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
    record = json.loads(json.dumps(dataclasses.replace(audit, features=names).to_dict()))
    assert Audit.from_dict(record, audit.arrays).features == names
