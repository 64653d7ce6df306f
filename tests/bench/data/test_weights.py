"""Published weights: found by name, file or hash, refused in one line, and read without running code."""

import pickle

import authors
import h5py
import numpy as np
import pytest
import scipy.io
import torch
import toy

from bench.data import manifest as data
from bench.data import weights
from bench.errors import BenchError


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A data root with one file of weights, `net.pt`, and its manifest; ``$BENCH_DATA/weights/toys``."""
    root = tmp_path / "root" / "weights" / "toys"
    root.mkdir(parents=True)
    authors.declare(tmp_path / "manifests", {"net.pt": authors.network(root / "net.pt")})
    monkeypatch.setattr(data, "_weights_folder", lambda: tmp_path / "manifests")
    monkeypatch.setenv("BENCH_DATA", str(tmp_path / "root"))
    monkeypatch.setenv("BENCH_STORE", str(tmp_path / "store"))
    forget()
    yield root
    forget()


def forget():
    data.manifests.cache_clear()
    data.manifest.cache_clear()


def declare(folder, content: dict[str, bytes], **changes):
    authors.declare(folder.parents[2] / "manifests", content, **changes)
    forget()


def told(call, *arguments):
    with pytest.raises(BenchError) as caught:
        call(*arguments)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_our_manifests_name_methods_that_exist_and_their_training_data():
    from bench.contract import registry

    found = weights.all_weights()
    assert {one.manifest.method for one in found.values()} == {"ista_net", "admm_net", "generic_admm_net", "dncnn"}
    for one in found.values():
        assert one.manifest.method in registry.methods()
        assert one.manifest.trained_on
        assert one.manifest.training
        assert weights.by_hash(one.sha256) == one
    labels = [(one.manifest.method, one.label) for one in found.values()]
    assert len(set(labels)) == len(labels)


def test_a_name_and_a_file_find_the_same(folder, tmp_path):
    one = weights.find("toys/net.pt", "net")
    assert weights.find(str(folder / "net.pt"), "net") == one == weights.by_hash(one.sha256)
    assert not (tmp_path / "store").exists()
    assert one.record()["origin"].endswith("owner/toys/abc/there/net.pt")


def test_a_file_from_elsewhere_is_kept_where_a_download_would_be(folder, tmp_path):
    elsewhere = (folder / "net.pt").rename(tmp_path / "other.pt")
    assert "run `bench data get weights/toys`, or set BENCH_DATA" in told(weights.find, "toys/net.pt", "net")
    one = weights.find(str(elsewhere), "net")
    assert weights.find("toys/net.pt", "net") == one
    assert (tmp_path / "store/data/weights/toys/net.pt").read_bytes() == elsewhere.read_bytes()


def test_what_is_wrong_is_one_line(folder, tmp_path):
    assert "Did you mean toys/net.pt?" in told(weights.find, "toys/nt.pt", "net")
    assert told(weights.find, "toys/net.pt", "tv") == "the weights toys/net.pt are of net, which tv cannot use."
    (tmp_path / "mine.pt").write_bytes(b"mine")
    assert "no manifest declares weights of the SHA-256" in told(weights.find, str(tmp_path / "mine.pt"), "net")
    (folder / "net.pt").write_bytes(b"other bytes")
    assert "is corrupt (its SHA-256 is not the manifest's)" in told(weights.find, "toys/net.pt", "net")


def test_a_track_refuses_weights_that_learned_its_test_set(folder):
    one = weights.find("toys/net.pt", "net")
    weights.refuse_overlap(one, toy.track("mini", data=("bsd68",)))
    weights.refuse_overlap(one, toy.track("mini", data=("bsd68", "their-images"), tested_on=("bsd68",)))
    for track in (toy.track("a", data=("their-images",)), toy.track("b", tested_on=("their-images",))):
        line = told(weights.refuse_overlap, one, track)
        assert line == f"{track.id} refuses the weights toys/net.pt: they were trained on their-images, its test set."


def test_no_track_of_ours_tests_on_what_weights_learned_and_the_check_sees_it():
    from bench.contract import registry

    learned = {name for one in weights.all_weights().values() for name in one.manifest.trained_on}
    assert "bsd400" in learned
    tracks = registry.all_tracks()
    assert all(set(track.tested_on) <= set(track.data) for track in tracks)
    assert not any(learned & set(track.tested_on or track.data) for track in tracks)


def test_a_torch_file_is_read_without_running_code(folder):
    one = weights.find("toys/net.pt", "net")
    assert set(weights.tensors(one)) == {"first", "last"}

    class Evil:
        def __reduce__(self):
            return (open, (str(folder / "ran"), "w"))

    content = pickle.dumps({"first": Evil()})
    (folder / "net.pt").write_bytes(content)
    declare(folder, {"net.pt": content})
    assert "the weights toys/net.pt cannot be read" in told(weights.tensors, weights.find("toys/net.pt", "net"))
    assert not (folder / "ran").exists()


def test_both_kinds_of_matlab_files_give_the_weights_in_matlabs_order(folder):
    kernel = np.arange(6.0).reshape(2, 3)
    cell = np.empty(2, dtype=object)
    pair = np.empty(2, dtype=object)
    pair[:] = [kernel, np.ones(2)]
    cell[:] = [{"weights": pair, "type": "conv", "rate": 2.0}, {"type": "relu"}]
    scipy.io.savemat(folder / "old.mat", {"net": {"layers": cell}})
    with h5py.File(folder / "new.mat", "w") as file:
        values = [file.create_dataset(f"#refs#/{i}", data=one) for i, one in enumerate((kernel.T, np.ones((1, 2)).T))]
        layer = file.create_group("#refs#/layer")
        layer["weights"] = np.array([[value.ref for value in values]], dtype=h5py.ref_dtype)
        layer["rate"] = np.ones((1, 1))
        file["net/layers"] = np.array([[layer.ref]], dtype=h5py.ref_dtype)
    declare(folder, {name: (folder / name).read_bytes() for name in ("old.mat", "new.mat")})
    for name in ("old.mat", "new.mat"):
        found = weights.tensors(weights.find(f"toys/{name}", "net"))
        assert torch.equal(found["net.layers.0.weights.0"], torch.from_numpy(kernel).float()), name
        assert set(found) == {"net.layers.0.weights.0", "net.layers.0.weights.1"}
