"""Small multiples drawn in one pair of axes, measured in inches.

matplotlib spends more on a pair of axes than on what stands in it. With all panels in one, and all
lines of one look in one path, a sheet of ROC curves takes a quarter of the time and half the bytes.
"""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from reports.figures.layout import Look, legend_height, wrapped
from reports.systems.rows import Floats

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# x and y of a line, in inches.
Line = tuple[Floats, Floats]
Limits = tuple[float, float]

_LEFT, _RIGHT, _TOP, _BELOW = 0.62, 0.15, 0.36, 0.52
_NARROWEST = 5.2
_FRAME = "#555555"
_GRID = "#dddddd"
_TICK = 0.04
_LABEL = 8.0


class Box(NamedTuple):
    """A panel's frame on the sheet, and what its edges stand for.

    Attributes
    ----------
    left, bottom, width, height : float
        In inches, from the lower left of the sheet.
    across, up : Limits
        The data at the left and right, and at the lower and upper edge.
    """

    left: float
    bottom: float
    width: float
    height: float
    across: Limits = (0.0, 1.0)
    up: Limits = (0.0, 1.0)

    def line(self, x: Any, y: Any) -> Line:
        """Where data lie on the sheet; what would leave the frame stops at its edge."""
        return (
            self.left + self.width * _share(x, self.across),
            self.bottom + self.height * _share(y, self.up),
        )


class Sheet:
    """A figure with the boxes of its panels, top left first.

    `boxes` holds for each panel its boxes, from the top.
    """

    def __init__(
        self,
        panels: int,
        most: int,
        heights: Sequence[float],
        look: dict[str, Look],
        wide: float = 1.7,
        apart: tuple[float, float] = (0.25, 0.36),
    ) -> None:
        """At most `most` panels in a row, each `wide`, `apart` across and up (inches)."""
        from matplotlib.figure import Figure

        self.columns = min(most, panels)
        rows, gap = -(-panels // self.columns), 0.08
        tall = sum(heights) + gap * (len(heights) - 1)
        below = _BELOW + legend_height(look)
        width = _LEFT + self.columns * (wide + apart[0]) - apart[0] + _RIGHT
        height = _TOP + rows * (tall + apart[1]) - apart[1] + below
        width = max(width, _NARROWEST)
        self.figure: Figure = Figure(figsize=(width, height))
        self.axes: Axes = self.figure.add_axes((0, 0, 1, 1))
        self.axes.set(xlim=(0, width), ylim=(0, height))
        self.axes.set_axis_off()
        self.boxes: list[list[Box]] = []
        for place in range(panels):
            row, column = divmod(place, self.columns)
            left = _LEFT + column * (wide + apart[0])
            floor = height - _TOP - row * (tall + apart[1])
            boxes = []
            for tallness in heights:
                boxes.append(Box(left, floor - tallness, wide, tallness))
                floor -= tallness + gap
            self.boxes.append(boxes)

    def leftmost(self, place: int) -> bool:
        """Whether the panel at this place stands in the first column."""
        return place % self.columns == 0

    def lowest(self, place: int) -> bool:
        """Whether no panel stands below the one at this place."""
        return place + self.columns >= len(self.boxes)

    def plot(self, lines: Sequence[Line], **style: Any) -> None:
        """All these lines in one path, with gaps between them."""
        if lines:
            gap = np.array([np.nan])
            x, y = (
                np.concatenate([part for line in lines for part in (line[axis], gap)])
                for axis in (0, 1)
            )
            self.axes.plot(x, y, **style)

    def frame(self, boxes: Sequence[Box]) -> None:
        """The outlines of boxes, above all that is drawn in them."""
        outlines = [
            (
                box.left + box.width * np.array([0.0, 1, 1, 0, 0]),
                box.bottom + box.height * np.array([0.0, 0, 1, 1, 0]),
            )
            for box in boxes
        ]
        self.plot(outlines, color=_FRAME, linewidth=0.7, solid_capstyle="projecting", zorder=4)

    def grid(self, ticks: "Sequence[tuple[Box, Sequence[float], Sequence[float]]]") -> None:
        """Lines through the x and the y of each box, and its tick marks."""
        lines, marks = [], []
        for box, across, up in ticks:
            for x in across:
                lines.append(box.line([x, x], box.up))
                at = float(lines[-1][0][0])
                marks.append((np.array([at, at]), box.bottom - np.array([0, _TICK])))
            for y in up:
                lines.append(box.line(box.across, [y, y]))
                at = float(lines[-1][1][0])
                marks.append((box.left - np.array([0, _TICK]), np.array([at, at])))
        self.plot(lines, color=_GRID, linewidth=0.5, zorder=1)
        self.plot(marks, color=_FRAME, linewidth=0.7, solid_capstyle="butt", zorder=4)

    def name_below(self, box: Box, ticks: Sequence[float], title: str = "") -> None:
        """Tick labels below a box, and what its x axis shows."""
        for x in ticks:
            at = float(box.line([x], [0.0])[0][0])
            self._text(at, box.bottom - 0.07, f"{x:g}", ha="center", va="top")
        if title:
            middle = box.left + box.width / 2
            self._text(middle, box.bottom - 0.22, title, ha="center", va="top")

    def name_beside(self, box: Box, ticks: Sequence[float], title: str = "") -> None:
        """Tick labels at the left of a box, and what its y axis shows."""
        for y in ticks:
            at = float(box.line([0.0], [y])[1][0])
            self._text(box.left - 0.07, at, f"{y:g}", ha="right", va="center")
        if title:
            middle = box.bottom + box.height / 2
            self._text(
                box.left - 0.42, middle, title, ha="center", va="center", rotation="vertical"
            )

    def head(self, box: Box, name: str, width: int) -> None:
        """A panel's name above its topmost box."""
        x, y = box.left + box.width / 2, box.bottom + box.height + 0.04
        self._text(x, y, wrapped(name, width), size=7.5, ha="center", va="bottom")

    def name_panels(
        self,
        boxes: Sequence[Box],
        names: Iterable[str],
        across: tuple[Sequence[float], str],
        up: tuple[Sequence[float], str],
        width: int = 30,
    ) -> None:
        """Names above panels of one box each; ticks and titles at the outer edges of the sheet."""
        for place, (box, name) in enumerate(zip(boxes, names, strict=True)):
            self.head(box, name, width)
            if self.leftmost(place):
                self.name_beside(box, *up)
            if self.lowest(place):
                self.name_below(box, *across)

    def _text(self, x: float, y: float, text: str, size: float = _LABEL, **style: Any) -> None:
        self.axes.text(x, y, text, size=size, **style)


def _share(values: Any, limits: Limits) -> Floats:
    low, high = limits
    return np.clip((np.asarray(values, dtype=np.float64) - low) / (high - low), 0, 1)


def round_ticks(low: float, high: float, most: int) -> tuple[Limits, list[float]]:
    """Limits with some room around the values, and at most so many round ticks within."""
    from matplotlib.ticker import MaxNLocator

    room = 0.05 * (high - low) or max(abs(high), 1.0) * 0.05
    limits = (low - room, high + room)
    found = MaxNLocator(most).tick_values(*limits)
    return limits, [float(tick) for tick in found if limits[0] <= tick <= limits[1]]
