"""The readers of the environment: each fails loudly, naming the variable and what it expects."""

from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured

from proctoring_site import env

NAME = "PROCTORING_TEST_VARIABLE"


@pytest.fixture
def set_to(monkeypatch):
    def set_to(value):
        if value is None:
            monkeypatch.delenv(NAME, raising=False)
        else:
            monkeypatch.setenv(NAME, value)

    return set_to


@pytest.mark.parametrize(("value", "read"), [(None, "d"), ("", "d"), ("  ", "d"), (" a b ", "a b"), ("0", "0")])
def test_text_is_trimmed_and_blank_is_unset(set_to, value, read):
    set_to(value)
    assert env.text(NAME, "d") == read


@pytest.mark.parametrize("value", ["1", "true", "TRUE", "yes", "On", " 1 "])
def test_a_flag_may_say_yes_in_words(set_to, value):
    set_to(value)
    assert env.flag(NAME) is True


@pytest.mark.parametrize("value", ["0", "false", "No", "off", "", " "])
def test_a_flag_may_say_no_in_words(set_to, value):
    set_to(value)
    assert env.flag(NAME, default=True) is False


@pytest.mark.parametrize("default", [True, False])
def test_a_flag_that_is_unset_is_its_default(set_to, default):
    set_to(None)
    assert env.flag(NAME, default=default) is default


@pytest.mark.parametrize(("value", "read"), [(None, 7), ("", 7), ("1", 1), (" 42 ", 42), ("2147483648", 2**31)])
def test_a_whole_number_is_read(set_to, value, read):
    set_to(value)
    assert env.positive_int(NAME, 7) == read


@pytest.mark.parametrize(("value", "read"), [(None, ["d"]), ("", ["d"]), (",, ", ["d"]), (" a ,b,,c", ["a", "b", "c"])])
def test_a_list_drops_blanks(set_to, value, read):
    set_to(value)
    assert env.text_list(NAME, ("d",)) == read


@pytest.mark.parametrize(
    ("value", "read"),
    [(None, Path("/d")), ("/x/y", Path("/x/y")), ("x", Path.cwd() / "x"), ("~/x", Path.home() / "x")],
)
def test_a_path_is_absolute(set_to, value, read):
    set_to(value)
    assert env.path(NAME, Path("/d")) == read


@pytest.mark.parametrize(
    ("value", "read"), [(None, {}), ("", {}), ("{}", {}), ('{"focus_lost": 3, "x.y": 0}', {"focus_lost": 3, "x.y": 0})]
)
def test_weights_are_an_object_of_points(set_to, value, read):
    set_to(value)
    assert env.weights(NAME) == read


@pytest.mark.parametrize(
    ("reader", "value"),
    [
        *((env.flag, value) for value in ("2", "ja", "truth", "1.0")),
        *(
            (lambda name: env.positive_int(name, 1), value)
            for value in ("0", "-1", "1.5", "ten", "1e3", "٣", "²", "0x10")
        ),
        *((lambda name: env.seconds(name, 1), value) for value in ("0", "315360001", "99999999999999")),
        *((lambda name: env.whole_number(name, 1), value) for value in ("-1", "none")),
        *((env.weights, value) for value in ("[]", "5", '"x"', "null", "{", "{'a': 1}", '{"a": -1}', '{"a": 1.5}')),
        *((env.weights, value) for value in ('{"a": true}', '{"a": "1"}', '{"a": null}', '{"a": {}}', '{"a": NaN}')),
    ],
)
def test_nonsense_is_refused_by_name(set_to, reader, value):
    set_to(value)
    with pytest.raises(ImproperlyConfigured, match=NAME):
        reader(NAME)


class TestFirstLine:
    def test_it_reads_a_secret_from_its_file(self, tmp_path):
        (tmp_path / "key").write_text("secret\n")
        assert env.first_line(tmp_path / "key") == "secret"

    @pytest.mark.parametrize("content", ["", " \n"])
    def test_it_is_empty_where_the_file_is(self, tmp_path, content):
        (tmp_path / "key").write_text(content)
        assert env.first_line(tmp_path / "key") == ""

    def test_it_is_empty_without_a_file(self, tmp_path):
        assert env.first_line(tmp_path / "key") == ""
        assert env.first_line(tmp_path) == ""


class TestASecret:
    @pytest.fixture
    def file(self, tmp_path, monkeypatch):
        monkeypatch.setenv(f"{NAME}_FILE", str(tmp_path / "secret"))
        return tmp_path / "secret"

    def test_may_stand_in_the_environment(self, set_to):
        set_to(" s3cret ")
        assert env.secret(NAME) == "s3cret"
        set_to(None)
        assert env.secret(NAME) == ""

    @pytest.mark.parametrize(
        ("content", "read"),
        [("s3cret", "s3cret"), ("s3cret\n", "s3cret"), ("s3cret\r\n", "s3cret"), (" a\nb \n", " a\nb ")],
    )
    def test_may_stand_in_a_file(self, set_to, file, content, read):
        set_to("")
        file.write_text(content, newline="")
        assert env.secret(NAME) == read

    def test_is_refused_when_given_twice(self, set_to, file):
        set_to("s3cret")
        file.write_text("another")
        with pytest.raises(ImproperlyConfigured, match=f"^{NAME} and {NAME}_FILE are both set") as refused:
            env.secret(NAME)
        assert "s3cret" not in str(refused.value)

    @pytest.mark.parametrize("content", [None, b"", b"\n", b"s3cret\xff"])
    def test_that_cannot_be_read_is_refused_by_name_alone(self, set_to, file, content):
        set_to(None)
        if content is not None:
            file.write_bytes(content)
        with pytest.raises(ImproperlyConfigured, match=f"^{NAME}_FILE names a file that") as refused:
            env.secret(NAME)
        assert "s3cret" not in str(refused.value)
        assert refused.value.__suppress_context__ or refused.value.__context__ is None


@pytest.mark.parametrize(("value", "read"), [(None, "b"), ("", "b"), ("A", "a"), (" b ", "b")])
def test_a_choice_is_written_in_any_case(set_to, value, read):
    set_to(value)
    assert env.choice(NAME, ("a", "b"), "b") == read


@pytest.mark.parametrize(("value", "read"), [(None, 7), ("0", 0), ("5", 5)])
def test_a_whole_number_may_be_nothing(set_to, value, read):
    set_to(value)
    assert env.whole_number(NAME, 7) == read
