"""One measured fact of the check, as a line of JSON between processes and as a row of the page."""

import json
import operator
from dataclasses import asdict, dataclass
from typing import Self

SIGNS = {"≥": operator.ge, "≤": operator.le, "=": operator.eq}
HEAD = "| part | measurement | value | target | |\n|---|---|---|---|---|"


@dataclass(frozen=True)
class Result:
    """A measured value, and the bound that it has to meet if there is one."""

    part: str
    name: str
    value: float
    unit: str = ""
    #: Such as "≥ 0.97"; empty for what is only measured.
    target: str = ""
    #: The two sides of a ratio, the cause of an error: whatever explains the value.
    note: str = ""

    @property
    def is_met(self) -> bool:
        """Return whether the value meets the target; without a target it does."""
        if not self.target:
            return True
        sign, bound = self.target.split()
        return SIGNS[sign](self.value, float(bound))

    def row(self) -> str:
        """Return the row of a Markdown table."""
        mark = "" if not self.target else "met" if self.is_met else "**missed**"
        value = f"{self.value:.4g} {self.unit}".strip()
        name = f"{self.name} ({self.note})" if self.note else self.name
        return f"| {self.part} | {name.replace('|', '/')} | {value} | {self.target} | {mark} |"

    def line(self) -> str:
        """Return the result as one line of JSON."""
        return json.dumps(asdict(self), ensure_ascii=False)

    @classmethod
    def parse(cls, line: str) -> Self:
        """Return the result that a line of JSON holds.

        Raises:
            ValueError: the line is something else.
        """
        fields = json.loads(line)
        if not isinstance(fields, dict):
            raise ValueError(f"{line!r} is no result")
        try:
            return cls(**fields)
        except TypeError as error:
            raise ValueError(f"{line!r} is no result") from error
