import pytest
from helpers.toy_saved_model import save_toy
from serving.client import needs_server

from tf_longformer.quickstart import one_request
from tf_longformer.quickstart.one_request import ask_server

pytestmark = needs_server


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models") / "toy"
    save_toy(folder / "1")
    return folder


def test_a_server_answers_and_is_gone(folder, monkeypatch):
    started = []
    popen = one_request.subprocess.Popen

    def remember(*arguments, **options):
        started.append(popen(*arguments, **options))
        return started[0]

    monkeypatch.setattr(one_request.subprocess, "Popen", remember)
    # Not asked, as this machine needs no proxy to reach itself.
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    assert ask_server(folder, "four") == {"label": "four!", "score": 2.0}
    assert started[0].returncode is not None


def test_a_server_that_does_not_start_is_an_error(tmp_path):
    with pytest.raises(RuntimeError, match="doesn't start: error: The folder"):
        ask_server(tmp_path, "text")


def test_a_refusal_is_an_error(folder, monkeypatch):
    monkeypatch.setattr(one_request, "request_body", lambda text: "{}")
    with pytest.raises(RuntimeError, match="refuses the text: {'error'"):
        ask_server(folder, "text")


def test_what_is_missing_is_noticed(monkeypatch):
    assert one_request.server_is_installed()
    monkeypatch.setattr(one_request, "_NEEDED", ("uvicorn", "no_such_module"))
    assert not one_request.server_is_installed()
