"""Values of command-line options."""

from __future__ import annotations

from pipelines.validate import DataError


def numbers(option: str, text: str) -> list[int]:
    """Whole numbers from 0 on, joined by commas, each once: ``"0,1,1"`` -> ``[0, 1]``.

    Raises:
        DataError: anything else; the sentence names the option.
    """
    try:
        found = [int(word) for word in text.split(",")]
        if not all(0 <= number < 2**32 for number in found):
            raise ValueError
    except ValueError:
        raise DataError(f"{option} {text}: is not a list of whole numbers from 0 on; write for example 1,2.") from None
    return list(dict.fromkeys(found))
