"""What nobody may change by accident: TLS is verified, nothing from outside is unpickled or run, names stay names."""

from __future__ import annotations

import ast
import os
import ssl
from functools import cache
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ddbio.aws.credentials import Keys
from ddbio.aws.settings import AwsSettings
from ddbio.aws.tls import CaBundle
from ddbio.dynamodb import botocore_access
from ddbio.dynamodb.session import Session
from ddbio.dynamodb.wire import Endpoint
from ddbio.errors import DdbioError, UsageError, on_one_line
from ddbio.simulator import Simulator
from ddbio.simulator.__main__ import main
from ddbio.sinks.reject_place import choose_rejects_place
from ddbio.storage import Storages, s3_client
from ddbio.storage.local import LocalStorage
from ddbio.storage.names import check_output_name
from ddbio.storage.s3_client import S3Client
from tests.support.wiretap import TABLE, Wiretap

PACKAGE = Path(__file__).parents[2] / "ddbio"


@cache
def nodes() -> list[tuple[Path, ast.AST]]:
    """The imports, calls and attributes in all of the package's code."""
    kinds = (ast.Import, ast.ImportFrom, ast.Call, ast.keyword, ast.Attribute)
    trees = ((path, ast.parse(path.read_text())) for path in PACKAGE.rglob("*.py"))
    return [
        (path.relative_to(PACKAGE), node)
        for path, tree in trees
        for node in ast.walk(tree)
        if isinstance(node, kinds)
    ]


# --------------------------------------------------------------------------- code from outside


@cache
def imported() -> set[tuple[str, str]]:
    """(file, module) of all imports."""
    found = set()
    for path, node in nodes():
        if isinstance(node, ast.Import):
            found |= {(str(path), alias.name) for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {(str(path), node.module), *((str(path), f"{node.module}.{alias.name}") for alias in node.names)}
    return found


def test_nothing_unpickles_but_the_pipes_between_parent_and_workers() -> None:
    """A pipe of multiprocessing has two ends, both made here and both ours: nobody else can write to it. What comes
    from files, S3, DynamoDB or the journal is JSON, or plain bytes."""
    unpicklers = {"pickle", "cPickle", "dill", "cloudpickle", "marshal", "shelve", "jsonpickle", "yaml", "joblib"}
    assert {each for each in imported() if each[1].partition(".")[0] in unpicklers} == set()
    in_processes = {file for file, module in imported() if module.startswith("multiprocessing")}
    at_work = {"engines/pool.py", "engines/pool_worker.py", "engines/process.py"}
    assert in_processes == at_work | {"loaders/child.py", "cluster/crew.py"}
    # A listener or a manager would take pickles from whoever connects.
    assert {
        module for _, module in imported() if module.startswith("multiprocessing") and "manager" in module.lower()
    } == set()
    names = {node.attr for _, node in nodes() if isinstance(node, ast.Attribute)}
    assert names & {"Listener", "Client", "Manager", "BaseManager"} == set()


def test_nothing_is_evaluated_or_run_by_a_shell() -> None:
    calls = {(str(path), node.func.id) for path, node in nodes() if isinstance(node, ast.Call)
             and isinstance(node.func, ast.Name)}  # fmt: skip
    assert {each for each in calls if each[1] in ("eval", "exec", "compile", "__import__")} == set()
    assert {each for each in imported() if each[1].partition(".")[0] in ("subprocess", "pty", "commands")} <= {
        ("engines/process.py", "subprocess"),  # this Python, with a fixed program: a worker
        ("demo.py", "subprocess"),  # its own commands, as lists of words
        ("system/user_function.py", "subprocess"),  # this Python, to try whether the user's own code loads
    }
    assert {node.arg for _, node in nodes() if isinstance(node, ast.keyword)} & {"shell"} == set()


# --------------------------------------------------------------------------- TLS


def test_no_line_turns_verification_off() -> None:
    words = ("CERT_NONE", "CERT_OPTIONAL", "_create_unverified", "check_hostname", "verify_mode", "verify=False")
    found = {(path.name, word) for path in PACKAGE.rglob("*.py") for word in words if word in path.read_text()}
    # A hub's certificate is its own: both ends prove the token together with the certificate that they see.
    assert found == {("tls.py", word) for word in ("CERT_NONE", "check_hostname", "verify_mode")}
    assert not any(word in (PACKAGE / "aws" / "tls.py").read_text() for word in words)


NOT_OFF = [
    {"PYTHONHTTPSVERIFY": "0"},
    {"AWS_CA_BUNDLE": ""},
    {"REQUESTS_CA_BUNDLE": "", "CURL_CA_BUNDLE": ""},
    {"SSL_CERT_FILE": os.devnull},
    {"AWS_USE_SSL": "false", "AWS_VERIFY_SSL": "false"},
]


@pytest.mark.parametrize("environment", NOT_OFF, ids=lambda each: next(iter(each)))
def test_no_setting_of_the_environment_turns_verification_off(
    environment: dict[str, str], monkeypatch: pytest.MonkeyPatch, aws_environment: dict[str, str]
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    try:
        session = Session(AwsSettings(region="eu-west-1"))
    except DdbioError as refused:  # to be told that it is wrong is as good
        assert "CA bundle" in refused.message
        return
    Wiretap(session._client)
    endpoint = session.data_plane(session.describe(TABLE)).endpoint
    assert endpoint.url == "https://dynamodb.eu-west-1.amazonaws.com"
    context = endpoint.ssl_context()
    assert context is not None
    assert (context.verify_mode, context.check_hostname) == (ssl.CERT_REQUIRED, True)
    assert len(context.get_ca_certs()) > 50
    assert session._client._endpoint.http_session._verify is True


@pytest.mark.parametrize("name", ["AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE"])
@pytest.mark.parametrize("value", ["", " "])
def test_a_blank_ca_bundle_is_refused_before_anybody_is_asked(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch, aws_environment: dict[str, str]
) -> None:
    """Also if the endpoint is reached by http and needs none: the providers of keys ask STS and SSO by https. Some
    versions of botocore take a blank setting for an order not to verify."""
    monkeypatch.setenv(name, value)
    monkeypatch.setattr(botocore_access, "KeySource", None)  # to ask for keys would be a TypeError
    here = "http://127.0.0.1:9"
    with pytest.raises(UsageError, match=f'the CA bundle "{value}" cannot be used: .*{name}'):
        Session(AwsSettings(region="eu-west-1", endpoint_url=here))
    with pytest.raises(UsageError, match=f'the CA bundle "{value}" cannot be used: .*{name}'):
        S3Client(AwsSettings(region="eu-west-1", s3_endpoint_url=here), None)._built()


@pytest.mark.parametrize("bundle", [None, CaBundle("/bundle.pem", "AWS_CA_BUNDLE")])
def test_every_client_is_told_to_verify(
    bundle: CaBundle | None, monkeypatch: pytest.MonkeyPatch, aws_environment: dict[str, str]
) -> None:
    """So that nothing that botocore reads elsewhere can turn it off."""
    for module in (botocore_access, s3_client):
        monkeypatch.setattr(module, "configured_bundle", lambda core: bundle)
    monkeypatch.setattr(botocore_access.BotocoreAccess, "_check_endpoint", lambda self: None)
    monkeypatch.setattr(s3_client, "_trust_tls", lambda client, bundle: None)
    monkeypatch.setattr("botocore.endpoint.EndpointCreator._get_verify_value", lambda self, verify: verify)
    aws = AwsSettings(region="eu-west-1")
    for client in (Session(aws)._client, s3_client.S3Client(aws, None)._built()):
        assert client._endpoint.http_session._verify == ("/bundle.pem" if bundle else True)


def test_a_ca_bundle_that_cannot_be_read_is_no_reason_to_go_without() -> None:
    with pytest.raises(OSError):
        Endpoint("https://localhost", "eu-west-1", ca_bundle="/nonexistent/bundle.pem").ssl_context()


# --------------------------------------------------------------------------- names

NAMES = st.one_of(
    st.text(max_size=300),
    st.lists(st.sampled_from(["..", ".", "/", "\\", "\0", "a", "", "~", "\n", "C:", "é", "x" * 260]), max_size=6).map(
        "".join
    ),
)


@given(NAMES)
@example("../../etc/passwd")
@example("/etc/passwd")
@example("a\0b")
def test_an_output_stays_below_its_destination(tmp_path_factory: pytest.TempPathFactory, name: str) -> None:
    """Whatever a table, a listing or a manifest says it is called."""
    folder = tmp_path_factory.getbasetemp() / "destination"
    folder.mkdir(exist_ok=True)
    try:
        path = folder / check_output_name(name)
    except UsageError:
        return
    assert path.parent == folder and path.name == name
    assert Path(os.path.normpath(path)).parent == folder


def test_the_storage_asks_for_it(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    for name in ("../escaped", "/tmp/escaped", "..", "a/b"):
        with pytest.raises(UsageError):
            LocalStorage().create(str(tmp_path / "out"), name, 0)
        with pytest.raises(UsageError):
            LocalStorage().write_small(str(tmp_path / "out"), name, b"")
    assert [path.name for path in tmp_path.rglob("*")] == ["out"]


@given(st.one_of(NAMES, NAMES.map(lambda name: f"s3://bucket/{name}")).filter(lambda name: "\0" not in name))
@example("s3://bucket/..")
@example("s3://bucket/" + "x" * 1000)
@example("s3://bucket/\u202e\x1b[31m")
def test_rejects_stay_in_the_current_folder(tmp_path_factory: pytest.TempPathFactory, source: str) -> None:
    """Their name is made of the source's, which may be the key of an object that anybody named."""
    path = choose_rejects_place(None, [source], [], Storages(AwsSettings())).path
    assert path.parent == Path()
    assert path.name.endswith(".rejects.jsonl") and len(os.fsencode(path.name)) <= 255
    assert not path.name.startswith((".", "-"))


# --------------------------------------------------------------------------- words


@given(st.text())
def test_an_error_is_one_line_and_gives_the_terminal_no_orders(text: str) -> None:
    line = on_one_line(text)
    assert not any(ord(character) < 32 or 127 <= ord(character) < 160 for character in line)


def test_keys_do_not_show_themselves() -> None:
    keys = Keys("AKIAEXAMPLE", "the secret", "the token")
    for text in (repr(keys), str(keys), f"{keys}", repr([keys]), repr({"keys": keys})):
        assert "secret" not in text.replace("secret hidden", "") and "the token" not in text
        assert "AKIAEXAMPLE" not in text


# --------------------------------------------------------------------------- the simulator


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "example.com", ""])
def test_the_simulator_listens_to_this_machine_only(host: str, capsys: pytest.CaptureFixture[str]) -> None:
    """It checks no signatures."""
    with pytest.raises(ValueError, match="this machine only"):
        Simulator(host=host)
    assert main(["--host", host, "--port", "0"]) == 2
    assert "--allow-remote" in capsys.readouterr().err
