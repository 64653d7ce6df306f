"""How the dashboard arranges pictures."""

import json

import numpy as np
from fabricate import result
from PIL import Image

from bench.tracking import views


def test_four_panels_in_a_row_become_two_by_two():
    panels = [np.full((20, 30), value, np.uint8) for value in (10, 20, 30, 40)]
    square = np.asarray(views.folded(Image.fromarray(np.hstack(panels))))
    np.testing.assert_array_equal(square, np.vstack([np.hstack(panels[:2]), np.hstack(panels[2:])]))


def test_a_preview_has_room_for_errors_and_keeps_its_shape():
    preview = views.preview(Image.new("L", (900, 600)))
    assert preview.size == (views.PREVIEW, views.PREVIEW * 2 // 3)
    assert views.preview(Image.new("L", (300, 200))).size == (300, 200)


def test_curves_and_large_pictures_stand_before_bars():
    tags = views.of_experiment(["psnr", "ssim"], ascending=False)
    state = json.loads(tags[views.VIEW])
    sections = {section["name"]: section for section in state["compareRunSections"]}
    assert list(sections) == ["curves", "pictures", "shifts", "validation", "Model metrics", "System metrics"]
    assert sections["pictures"]["columns"] == 1
    assert sections["pictures"]["cardHeight"] > 2 * views.PREVIEW
    assert [name for name, section in sections.items() if not section["display"]] == ["validation"]
    assert state["isAccordionReordered"]
    assert len({section["uuid"] for section in sections.values()}) == len(sections)


def test_a_picture_of_all_runs_is_a_chart_at_its_last_step():
    pictures = [("validation/a", 20), ("pictures/b", 0), ("validation/a", 100)]
    tags = views.of_experiment(["psnr"], pictures, ascending=False)
    charts = {chart["imageKeys"][0]: chart for chart in json.loads(tags[views.VIEW])["compareRunCharts"]}
    assert {key: chart["step"] for key, chart in charts.items()} == {"pictures/b": 0, "validation/a": 100}
    sections = {section["uuid"]: section["name"] for section in json.loads(tags[views.VIEW])["compareRunSections"]}
    assert {key: sections[chart["metricSectionId"]] for key, chart in charts.items()} == {
        "pictures/b": "pictures",
        "validation/a": "validation",
    }


def test_a_run_keeps_the_charts_of_the_pictures_of_others():
    learned = views.tags(result("unet"), [("pictures/a", 0), ("validation/v", 100)], {})
    arranged = views.tags(result("tv"), [("pictures/a", 0)], learned)
    assert arranged == learned
    older = {views.VIEW: json.dumps({"selectedColumns": []})}
    assert views.tags(result("tv"), [], older)[views.VIEW] != older[views.VIEW]


def test_a_second_view_averages_the_seeds_of_a_method():
    tags = views.of_experiment(["nmse"], ascending=True)
    runs, methods = (json.loads(tags[views.SHARED + name]) for name in (views.RUNS, views.METHODS))
    grouped = methods.pop("groupBy")
    assert methods == runs
    assert grouped == {"aggregateFunction": "average", "groupByKeys": [{"mode": "param", "groupByData": "method"}]}
    assert tags["mlflow.experimentKind"] == "custom_model_development"
    assert runs["orderByAsc"]


def test_a_square_of_atoms_stays_as_it_is():
    atoms = Image.fromarray(np.arange(2500, dtype=np.uint8).reshape(50, 50))
    assert views.folded(atoms) is atoms
