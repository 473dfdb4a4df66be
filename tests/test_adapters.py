"""Regions of a face, and faces in the terms of other libraries."""

import sys
from dataclasses import replace

import numpy as np
import pytest

import keras_lotr
from keras_lotr import FaceLandmarks
from keras_lotr.conversions import common_landmarks
from keras_lotr.schemes import SCHEMES, get_scheme

pytestmark = pytest.mark.once


def make_face(scheme="ibug68", score=0.9):
    points = np.arange(2 * get_scheme(scheme).num_landmarks).reshape(-1, 2)
    return FaceLandmarks(points, [0, 0, 50, 60], score, scheme)


class TestRegions:
    def test_by_name(self):
        face = make_face()
        assert set(face.regions) >= {"contour", "nose", "eyes", "left_eye", "right_brow", "mouth"}
        np.testing.assert_array_equal(face["left_eye"], face.points[36:42])
        np.testing.assert_array_equal(face.region("right_brow"), face.points[22:27])
        np.testing.assert_array_equal(face[30], face.points[30])
        with pytest.raises(KeyError, match="Expected a region of ibug68, one of contour.*'chin'"):
            face["chin"]

    @pytest.mark.parametrize("name", sorted(SCHEMES))
    def test_halves_are_mirror_images_and_make_the_whole(self, name):
        scheme = get_scheme(name)
        regions = scheme.named_regions
        for half in ("eye", "brow"):
            left, right = set(regions[f"left_{half}"]), set(regions[f"right_{half}"])
            assert left | right == set(regions[f"{half}s"]) and not left & right
            assert {scheme.flip_order[i] for i in left} == right
        assert set(scheme.five_points[0]) <= set(regions["left_eye"])

    def test_scheme_of_ones_own(self):
        assert make_face("plain5").regions == ("all",)
        assert make_face("plain5")["all"].shape == (5, 2)

    @pytest.mark.parametrize("name", sorted(SCHEMES))
    def test_outlines_go_round(self, name):
        """As polygons: each landmark once, without pupils, and no line crosses another."""
        scheme = get_scheme(name)
        assert set(scheme.outlines) == {"left_eye", "right_eye", "outer_lips", "inner_lips"}
        for outline, indices in scheme.outlines.items():
            region = outline if outline.endswith("eye") else "mouth"
            assert set(indices) <= set(scheme.named_regions[region])
            assert len(set(indices)) == len(indices)
        face = make_face(name)
        np.testing.assert_array_equal(
            face.outline("inner_lips"), face.points[list(scheme.outlines["inner_lips"])]
        )
        with pytest.raises(KeyError, match="Expected an outline of .*outer_lips.* 'lips'"):
            face.outline("lips")
        with pytest.raises(KeyError, match="Expected an outline of plain5, one of none"):
            make_face("plain5").outline("left_eye")

    def test_landmarks_of_another_scheme(self):
        face = make_face("jd106")
        known = {"sigma": np.arange(424).reshape(106, 2, 2), "visible": np.arange(106) / 106}
        face = replace(face, track_id=3, **known)
        as_68 = face.to_scheme("ibug68")
        assert (as_68.scheme, len(as_68), as_68.track_id) == ("ibug68", 68, 3)
        numbers = common_landmarks("jd106", "ibug68")
        for name in ("points", "sigma", "visible"):
            np.testing.assert_array_equal(getattr(as_68, name), getattr(face, name)[numbers])
        assert face.to_scheme("jd106") == face
        with pytest.raises(ValueError, match="whose landmarks ibug68 has.* jd106, of which it lac"):
            as_68.to_scheme("jd106")
        with pytest.raises(ValueError, match="common landmarks are known"):
            face.to_scheme("plain5")


class TestSupervision:
    def test_faces(self):
        pytest.importorskip("supervision")
        faces = [make_face(score=0.9), make_face(score=0.5)]
        found = keras_lotr.to_supervision(faces)
        assert found.xy.shape == (2, 68, 2)
        np.testing.assert_array_equal(found.xy[1], faces[1].points)
        np.testing.assert_allclose(found.detection_confidence, [0.9, 0.5])
        assert found.data["box"].shape == (2, 4) and found.visible.all()
        assert len(faces[0].to_supervision()) == 1
        assert len(keras_lotr.to_supervision([])) == 0

    def test_numbers_and_visibility(self):
        pytest.importorskip("supervision")
        known = {"sigma": np.tile(np.eye(2), (68, 1, 1)), "visible": np.linspace(0, 1, 68)}
        faces = [replace(make_face(), track_id=n, **known) for n in (7, 9)]
        found = keras_lotr.to_supervision(faces)
        assert found.data["track_id"].tolist() == [7, 9]
        np.testing.assert_allclose(found.keypoint_confidence[1], known["visible"], atol=1e-6)
        assert "track_id" not in keras_lotr.to_supervision([faces[0], make_face()]).data

    def test_drawn_by_supervision(self):
        supervision = pytest.importorskip("supervision")
        points = make_face().points.copy()
        points[0] = np.nan
        found = keras_lotr.to_supervision([FaceLandmarks(points, [0, 0, 9, 9], None, "ibug68")])
        assert found.detection_confidence is None and not found.visible[0, 0]
        image = np.zeros((140, 140, 3), np.uint8)
        assert supervision.VertexAnnotator().annotate(image.copy(), found).any()

    def test_two_schemes(self):
        pytest.importorskip("supervision")
        with pytest.raises(ValueError, match=r"one landmark scheme.*\['ibug68', 'wflw98'\]"):
            keras_lotr.to_supervision([make_face(), make_face("wflw98")])


class TestPandas:
    def test_long_table(self):
        pytest.importorskip("pandas")
        table = keras_lotr.to_pandas([make_face(), make_face("plain5", score=None)])
        assert list(table.columns) == ["face", "landmark", "region", "x", "y", "score"]
        assert len(table) == 73
        row = table[(table.face == 0) & (table.landmark == 40)].iloc[0]
        assert (row.region, row.x, row.y, round(row.score, 3)) == ("left_eye", 80, 81, 0.9)
        assert set(table[table.face == 1].region) == {"all"}
        assert table[table.face == 1].score.isna().all()
        assert len(make_face().to_pandas()) == 68
        assert list(keras_lotr.to_pandas([]).columns) == list(table.columns)
        assert keras_lotr.to_pandas(make_face()).equals(make_face().to_pandas())
        with pytest.raises(TypeError, match="of one image. Received: list of list"):
            keras_lotr.to_pandas([[make_face()]])

    def test_numbers_of_a_tracker(self):
        pandas = pytest.importorskip("pandas")
        faces = [make_face(), replace(make_face(), track_id=7)]
        numbers = keras_lotr.to_pandas(faces).groupby("face").track_id.first(skipna=False)
        assert numbers[0] is pandas.NA and numbers[1] == 7
        assert keras_lotr.to_pandas(faces[1:]).track_id.dtype == int
        assert "track_id" not in keras_lotr.to_pandas(faces[:1])


@pytest.mark.parametrize("name", ["supervision", "pandas"])
def test_missing_library(name, monkeypatch):
    monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(ImportError, match=f"to_{name} needs {name}: pip install {name}"):
        getattr(keras_lotr, f"to_{name}")([])


def test_pandas_table_of_faces_that_say_how_sure_they_are():
    pytest.importorskip("pandas")
    sigma = np.stack([np.array([[4, 1], [1, 9]]) * (i + 1) for i in range(5)])
    sure = FaceLandmarks(
        np.arange(10).reshape(5, 2) * 40, [0, 0, 360, 400], 0.9, "plain5", sigma=sigma,
        visible=np.linspace(0, 1, 5),
    )  # fmt: skip
    plain = FaceLandmarks(np.zeros((5, 2)), [0, 0, 9, 9], 0.9, "plain5")
    table = keras_lotr.to_pandas([sure, plain])
    assert table["sigma_xx"][:5].tolist() == [4, 8, 12, 16, 20]
    seen = keras_lotr.to_pandas(replace(sure, sigma=None))
    assert seen["visible"].tolist() == [0, 0.25, 0.5, 0.75, 1] and seen["quality"].isna().all()
    assert table["sigma_xy"][:5].tolist() == [1, 2, 3, 4, 5]
    assert table["sigma_yy"][4] == 45 and table["visible"][1] == 0.25
    assert table["quality"][:5].tolist() == [sure.quality] * 5
    assert table.loc[5:, ["visible", "sigma_xx", "quality"]].isna().to_numpy().all()
    assert "visible" not in keras_lotr.to_pandas([plain])
