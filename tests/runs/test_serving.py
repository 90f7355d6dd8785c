"""The request of docs/serving.md, against a STUB of TensorFlow Serving's predict API: no server is started."""

import io
import json
import urllib.request

import numpy as np
import pytest
import tensorflow as tf

from analogy.runs.ready import ready_models
from tests.conftest import ROOT


def stub(saved_model, asked):
    """In the place of urlopen: a columnar request in JSON ("signature_name", "inputs") -> the answer in JSON, as the server's
    documentation describes it: by name, or bare where there is a single output."""

    def urlopen(address, body):
        assert address.endswith(":predict")
        request = json.loads(body)
        asked.append(request)
        signature = saved_model.signatures[request["signature_name"]]
        specs = signature.structured_input_signature[1]
        inputs = {name: tf.constant(value, specs[name].dtype) for name, value in request["inputs"].items()}
        outputs = {name: value.numpy().tolist() for name, value in signature(**inputs).items()}
        answer = outputs if len(outputs) > 1 else next(iter(outputs.values()))
        return io.BytesIO(json.dumps({"outputs": answer}).encode())

    return urlopen


@pytest.mark.slow
def test_the_request_of_the_docs_is_answered(monkeypatch):
    recipe = (ROOT / "docs" / "serving.md").read_text().split("```python\n")[1].split("```")[0]
    model = tf.saved_model.load(str(ready_models()["lvln_plus"].run / "saved_model"))
    video, asked = np.random.default_rng(0).integers(0, 256, (6, 64, 96, 3), np.uint8), []
    monkeypatch.setattr(urllib.request, "urlopen", stub(model, asked))
    names = {"video": video}
    exec(recipe, names)
    future = np.array(names["future"])
    expected = model.predict(tf.constant(video[None, :5]), tf.constant(5))["future"].numpy()
    assert asked[0]["signature_name"] == "predict" and future.shape == (1, 5, 64, 96, 3)
    np.testing.assert_array_equal(future, expected)
