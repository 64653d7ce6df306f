"""Typed records, validated whenever they are read.

A record is a pydantic model that is written as JSON. Reading one that is damaged, edited by hand against its form, or
of another format version raises a `BenchError` of one line that names the file and the field.
"""

from __future__ import annotations

import hashlib
import json
import math
import unicodedata
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from bench.errors import BenchError

# Fields that are not written where they are None, so that earlier records stay as they are
LATER = ("confidence", "observed", "sensitivity", "task_code")

# Names become folders and files: no separators, no leading dot, no control characters.
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.+-]{0,99}$")]
Label = Annotated[str, Field(pattern=r"^([A-Za-z0-9_][A-Za-z0-9_.,=+-]{0,119})?$")]
Key = Annotated[str, Field(pattern=r"^[0-9a-f]{8,64}$")]
Hash = Annotated[str, Field(pattern=r"^[0-9a-f]{8,64}$")]
Finite = Annotated[float, Field(allow_inf_nan=False)]


def _image_id(text: str) -> str:
    if not 0 < len(text) <= 200 or text.startswith("/") or "\\" in text or ".." in text.split("/"):
        raise ValueError("expected the id of an image, of 1 to 200 letters, and no path out of a folder")
    return _printable(text)


def _relative_path(text: str) -> str:
    parts = text.split("/")
    if text.startswith("/") or "\\" in text or ":" in parts[0] or any(part in ("", ".", "..") for part in parts):
        raise ValueError("expected the path of a file inside the run directory, such as pictures/a.png")
    return _printable(text)


def _printable(text: str) -> str:
    if any(unicodedata.category(character) == "Cc" for character in text):
        raise ValueError("expected text without control characters")
    return text


def _date(text: str) -> str:
    datetime.fromisoformat(text)
    return text


def _plain(values: dict[str, Any]) -> dict[str, Any]:
    """Values that JSON can hold: a number that is not finite can't be written again."""
    pending: list[Any] = [values]
    while pending:
        value = pending.pop()
        if isinstance(value, float) and not math.isfinite(value):
            raise ValueError(f"expected finite numbers, found {value}")
        pending += value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return values


ImageId = Annotated[str, AfterValidator(_image_id)]
RelativePath = Annotated[str, AfterValidator(_relative_path)]
Date = Annotated[str, AfterValidator(_date)]  # ISO 8601
Plain = Annotated[dict[str, Any], AfterValidator(_plain)]
Scores = dict[ImageId, dict[str, Finite]]  # {image id: {metric: value}}


class Record(BaseModel):
    """A frozen model that is written to and read from JSON. Unknown fields are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="constants")

    def to_json(self) -> str:
        """Indented JSON with sorted keys and a newline at its end. Raises `ValueError` where a number is not finite."""
        return json.dumps(self.model_dump(mode="json"), indent=1, sort_keys=True, allow_nan=False) + "\n"

    @classmethod
    def from_json(cls, text: str, origin: str = "text") -> Self:
        """Read a record. Raises a `BenchError` that names ``origin`` and the first field at fault."""
        try:
            return cls.model_validate_json(text)
        except ValidationError as error:
            raise BenchError(f"{origin} is no valid {cls.__name__.lower()}: {first_fault(error)}.") from None

    @classmethod
    def read(cls, path: Path) -> Self:
        try:
            return cls.from_json(path.read_text(encoding="utf-8"), str(path))
        except OSError as error:
            raise BenchError(f"cannot read {path}: {error.strerror or error}.") from None
        except UnicodeDecodeError:
            raise BenchError(f"cannot read {path}: it is no text.") from None


class Sealed(Record):
    """A record whose file ends with a checksum of its values, by which a flipped bit or an edit by hand is seen."""

    demands_checksum: ClassVar[bool] = True

    def to_json(self) -> str:
        values = self.model_dump(mode="json", exclude={name for name in LATER if getattr(self, name, None) is None})
        return json.dumps(values | {"checksum": checksum(values)}, indent=1, sort_keys=True, allow_nan=False) + "\n"

    @classmethod
    def from_json(cls, text: str, origin: str = "text") -> Self:
        """Read a record. Raises a `BenchError` that names ``origin`` and the field at fault, at last the checksum."""
        stated, values = None, {}
        try:
            values = json.loads(text)
            stated = values.pop("checksum", None) if isinstance(values, dict) else None
            text = json.dumps(values)
        except (ValueError, RecursionError):
            pass  # the reading below says why
        record = super().from_json(text, origin)
        missed = stated is None and not cls.demands_checksum
        if not missed and stated != checksum(values):  # as written: a field that came later is not among them
            kind = cls.__name__.lower()
            raise BenchError(f"{origin} is no valid {kind}: checksum: the file was changed since it was written.")
        return record


def checksum(values: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()[:16]


def first_fault(error: ValidationError) -> str:
    """The first fault of a validation as one line: the field, the value and the rule."""
    fault = error.errors(include_url=False)[0]
    message = fault["msg"].removeprefix("Value error, ")
    if fault["type"] == "json_invalid":
        return message[:1].lower() + message[1:]
    field = ".".join(str(part) for part in fault["loc"]) or "the text"
    value = repr(fault.get("input"))
    shown = f" (it is {value[:60]})" if fault["type"] != "missing" and len(value) < 200 else ""
    others = error.error_count() - 1
    return f"{field}: {message}{shown}" + (f", and {others} more" if others else "")


class MetricInfo(Record):
    """The declaration of a metric on the track where it was taken."""

    higher_is_better: bool
    unit: str = ""
    of: Literal["image", "finding", "std"] = "image"
    options: Plain = Field(default_factory=dict)  # data range, crop, real part or magnitude, mask
    version: int = 1
