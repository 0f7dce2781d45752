"""The reason in an error: what a person has to know of it, in one line."""

import errno
import os

import pytest

from dsgo.base.errors import LONGEST, UserError, reason, refused_paths


def raised(act):
    with pytest.raises(Exception) as error:  # noqa: PT011  (any)
        act()
    return error.value


def wrap(inner, outer, explicit=True):
    def act():
        try:
            raise inner
        except Exception as error:
            if explicit:
                raise outer from error
            raise outer  # noqa: B904  (what is tested)

    return raised(act)


def test_reason__is_the_cause_and_not_the_last_wrapper():
    inner = wrap(ValueError("no number in row 7"), RuntimeError("prediction failed"))

    assert reason(wrap(inner, RuntimeError("the model failed"))) == "no number in row 7"
    assert reason(wrap(inner, RuntimeError("the model failed"), explicit=False)) == "no number in row 7"


def test_reason__a_look_up_before_an_error_is_not_its_cause():
    assert reason(wrap(KeyError("x"), ValueError("there is no model x"), explicit=False)) == "there is no model x"


def test_reason__what_a_user_error_says_is_the_reason():
    assert reason(wrap(OSError("[Errno 2]"), UserError("the file is gone"))) == "the file is gone"


@pytest.mark.parametrize(
    ("message", "says"),
    [
        (
            "Failed to enforce schema of data '   windspeed  temperature\n0   1.0   2.0\n[8784 rows x 7 columns]' with "
            "schema '[...]'. Error: Can not safely convert int64 to float64.",
            "Can not safely convert int64 to float64.",
        ),
        (
            'Traceback (most recent call last):\n  File "x.py", line 1\n    f()\nOSError: disk full\n',
            "OSError: disk full",
        ),
        ("Exception in call().\n\n\x1b[1mInput 0 has 3 columns\x1b[0m\n", "Exception in call(). Input 0 has 3 columns"),
        ("one\n\n  two  \n", "one two"),
        ("", "ValueError"),
    ],
)
def test_reason__leaves_out_what_was_printed_along(message, says):
    assert reason(ValueError(message)) == says


def test_reason__is_one_line_of_bounded_length():
    assert len(reason(ValueError("x\n" * 10_000))) == LONGEST


def test_reason__survives_an_error_that_is_its_own_cause():
    error = ValueError("round")
    error.__cause__ = error

    assert reason(error) == "round"


@pytest.mark.parametrize("code", [errno.ENAMETOOLONG, errno.EACCES])
def test_refused_paths__are_one_line(code):
    with pytest.raises(UserError, match=r"^x{40}[.]{3}: .+: name another path$"), refused_paths():
        raise OSError(code, os.strerror(code), "x" * 300)


def test_refused_paths__other_errors_stay_what_they_are():
    with pytest.raises(OSError, match="No space left"), refused_paths():
        raise OSError(errno.ENOSPC, "No space left", "file")
