"""Every prediction goes through a named endpoint: the system's own, or a SavedModel's, which is told no more than it takes."""

from types import SimpleNamespace

import numpy as np
import pytest
import tensorflow as tf

from analogy.errors import UserError
from analogy.measure.runs import check_fits
from analogy.runs.export import write_saved_model
from analogy.systems.base import System


class Doubling(System):
    """Doubles `values` and adds `offset`, which its export does not know."""

    def __init__(self):
        super().__init__(SimpleNamespace())
        self.factor = tf.Variable(2.0)
        self.export_notes = "the export adds nothing"

    def endpoints(self):
        @tf.function(input_signature=[tf.TensorSpec([None], tf.float32, "values")])
        def predict(values):
            return {"result": self.factor * values}

        return {"predict": predict}

    def informed_endpoints(self):
        return {"predict": tf.function(lambda values, offset: {"result": self.factor * values + offset})}


@pytest.fixture(scope="module")
def loaded(tmp_path_factory):
    system, folder = Doubling(), tmp_path_factory.mktemp("export") / "saved_model"
    module = tf.Module()
    module.factor, module.predict = system.factor, system.endpoints()["predict"]
    write_saved_model(module, {"predict": module.predict}, folder)
    return tf.saved_model.load(str(folder))


def predict(system):
    return system.endpoint("predict")(values=np.array([1.0, 4.0], np.float32), offset=np.float32(10.0))["result"].numpy()


def test_a_system_predicts_by_its_own_endpoint_and_all_it_is_told():
    assert predict(Doubling()).tolist() == [12, 18]


def test_an_export_predicts_in_its_place_by_what_it_takes(loaded):
    system, other = Doubling(), Doubling()
    system.use_export(loaded)
    system.factor.assign(0.0)  # what is measured is what was exported, not the networks of now
    assert predict(system).tolist() == [2, 8] and system.export_notes
    assert predict(other).tolist() == [12, 18]  # nothing of the class was changed


def test_inputs_of_other_types_are_converted_for_an_export(loaded):
    system = Doubling()
    system.use_export(loaded)
    assert system.endpoint("predict")(values=[3, 5], offset=1)["result"].numpy().tolist() == [6, 10]


def test_an_export_that_takes_other_shapes_is_refused(loaded, tmp_path):
    """Such as of a motion whose translator was trained again with another number of keypoints."""
    check_fits(loaded, Doubling(), tmp_path)
    other = Doubling()
    other.built_for = "for the K = 4 keypoints of {a}"

    @tf.function(input_signature=[tf.TensorSpec([None, 4], tf.float32, "values")])
    def predict(values):
        return {"result": values}

    other.endpoints = lambda: {"predict": predict, "further": predict}
    with pytest.raises(UserError) as said:
        check_fits(loaded, other, tmp_path)
    assert str(said.value) == (
        f"{tmp_path}: its endpoint predict takes values [any], but gets values [any, 4] with these settings for the K = 4 "
        "keypoints of {a}: name those with which it was exported"
    )


def test_an_input_that_an_export_needs_is_missed_by_name(loaded):
    system = Doubling()
    system.use_export(loaded)
    with pytest.raises(KeyError, match="values"):
        system.endpoint("predict")(offset=1)
