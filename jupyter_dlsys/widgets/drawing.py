"""Small drawings as inline SVG and HTML, in the colours of JupyterLab's theme."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape

from jupyter_dlsys.client.words import number, size
from jupyter_dlsys.contract.datasets import ColumnStatistics, ValueCount

LINE = "var(--jp-brand-color1,#1976d2)"
DIM = "var(--jp-ui-font-color2,#666)"
BACK = "var(--jp-layout-color2,#eee)"
WIDTH, HEIGHT = 240, 60
Point = tuple[float, float]


def curve(points: Sequence[Point], label: str) -> str:
    """One metric over its steps. `label` is read aloud by screen readers."""
    xs, ys = [x for x, _ in points], [y for _, y in points]
    across, up = _scale(xs, WIDTH - 4), _scale(ys, HEIGHT - 8)
    path = " ".join(f"{2 + across(x):.1f},{HEIGHT - 4 - up(y):.1f}" for x, y in points)
    last = f'<circle cx="{2 + across(xs[-1]):.1f}" cy="{HEIGHT - 4 - up(ys[-1]):.1f}" r="2.5"/>'
    about = escape(f"{label}: {len(points)} points, last {number(ys[-1])}", quote=True)
    return (
        f'<svg role="img" aria-label="{about}" width="{WIDTH}" height="{HEIGHT}" '
        f'style="background:{BACK};border-radius:3px;fill:{LINE}">'
        f'<polyline points="{path}" fill="none" stroke="{LINE}" stroke-width="1.5"/>{last}</svg>'
    )


class _Scale:
    def __init__(self, low: float, high: float, length: float) -> None:
        self._low, self._length = low, length
        self._range = high - low

    def __call__(self, value: float) -> float:
        """Position of a value; all in the middle when they are equal."""
        if not self._range:
            return self._length / 2
        return (value - self._low) / self._range * self._length


def _scale(values: Sequence[float], length: float) -> _Scale:
    return _Scale(min(values), max(values), length)


def curves(series: Mapping[str, Sequence[Point]], limit: int = 8) -> str:
    """Each metric with its last value, beside each other."""
    tiles = [
        f'<div><div style="color:{DIM}">{escape(key)} '
        f'<b style="color:var(--jp-ui-font-color1,#000)">{escape(number(points[-1][1]))}</b></div>'
        f"{curve(points, key)}</div>"
        for key, points in sorted(series.items())[:limit]
        if points
    ]
    return f'<div style="display:flex;flex-wrap:wrap;gap:12px">{"".join(tiles)}</div>'


def log(lines: Sequence[str]) -> str:
    """The tail of a log."""
    if not lines:
        return ""
    text = escape("\n".join(lines))
    style = "max-height:14em;overflow:auto;margin:0;font-size:var(--jp-code-font-size,12px)"
    return f'<pre style="{style}">{text}</pre>'


def balance(labels: Sequence[ValueCount]) -> str:
    """Rows of each label as bars."""
    most = max((item.count for item in labels), default=0)
    rows = "".join(
        f"<tr><td>{escape(item.value)}</td>"
        f'<td style="text-align:right">{item.count:,}</td>'
        f'<td><div style="width:{_share(item.count, most)}px;height:10px;background:{LINE}"></div>'
        f"</td></tr>"
        for item in labels
    )
    return f"<table>{rows}</table>" if rows else ""


def _share(count: int, most: int) -> int:
    return max(1, round(160 * count / most)) if most else 0


def histogram(column: ColumnStatistics) -> str:
    """Bars of a column's histogram; '' when it has none."""
    found = column.histogram
    if found is None or not found.counts or not max(found.counts):
        return ""
    most, width, height = max(found.counts), 120, 28
    step = width / len(found.counts)
    bars = "".join(
        f'<rect x="{i * step:.1f}" y="{height - height * count / most:.1f}" '
        f'width="{max(0.5, step - 1):.1f}" height="{height * count / most:.1f}"/>'
        for i, count in enumerate(found.counts)
    )
    about = escape(
        f"{column.name}: {number(found.edges[0])} to {number(found.edges[-1])}", quote=True
    )
    return (
        f'<svg role="img" aria-label="{about}" width="{width}" height="{height}" '
        f'style="fill:{LINE}"><title>{about}</title>{bars}</svg>'
    )


def statistics(columns: Sequence[ColumnStatistics], types: Mapping[str, str]) -> str:
    """What there is to know of each column."""
    rows = "".join(
        f"<tr><td><b>{escape(c.name)}</b></td><td>{escape(types.get(c.name, ''))}</td>"
        f"<td>{c.missing:,}</td><td>{number(c.distinct)}</td><td>{histogram(c)}</td>"
        f"<td>{escape(_most(c))}</td></tr>"
        for c in columns
    )
    head = "".join(
        f"<th>{name}</th>" for name in ("column", "type", "missing", "distinct", "", "most")
    )
    return f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"


def _most(column: ColumnStatistics) -> str:
    return ", ".join(f"{item.value} ({item.count:,})" for item in (column.sizes or column.top)[:3])


def amount(rows: int, count: int) -> str:
    """'1,200 rows, 3.4 MB'."""
    return f"{rows:,} rows, {size(count)}"
