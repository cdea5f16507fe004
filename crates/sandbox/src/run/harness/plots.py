# Run once at a program's end, where it has used pyplot; `put` writes a file beside its folder.
import io
import json

import matplotlib.pyplot as plt

POINTS = 10_000


def numbers(values):
    shown = []
    for value in list(values)[:POINTS]:
        value = value.item() if hasattr(value, "item") else value
        finite = isinstance(value, (int, float)) and value == value and abs(value) != float("inf")
        shown.append(value if finite or isinstance(value, str) else None if isinstance(value, float) else str(value))
    return shown


def label(artist):
    text = artist.get_label()
    return None if not isinstance(text, str) or text.startswith("_") else text


def series(axes):
    for line in axes.get_lines():
        yield {"kind": "line", "label": label(line), "x": numbers(line.get_xdata()), "y": numbers(line.get_ydata())}
    for bars in axes.containers:
        if hasattr(bars, "patches"):
            middles = [bar.get_x() + bar.get_width() / 2 for bar in bars.patches]
            heights = [bar.get_height() for bar in bars.patches]
            yield {"kind": "bar", "label": label(bars), "x": numbers(middles), "y": numbers(heights)}
    for points in axes.collections:
        if type(points).__name__ == "PathCollection":
            x, y = zip(*points.get_offsets()) if len(points.get_offsets()) else ((), ())
            yield {"kind": "scatter", "label": label(points), "x": numbers(x), "y": numbers(y)}


def described(axes):
    return {
        "title": axes.get_title(),
        "x_label": axes.get_xlabel(),
        "y_label": axes.get_ylabel(),
        "x_ticks": [tick.get_text() for tick in axes.get_xticklabels()][:100],
        "series": list(series(axes))[:100],
    }


for index, number in enumerate(plt.get_fignums()[:32], 1):
    figure = plt.figure(number)
    image = io.BytesIO()
    figure.savefig(image, format="png")
    put(f"plot-{index}.png", image.getvalue())
    try:
        title = figure.get_suptitle() if hasattr(figure, "get_suptitle") else ""
        data = {"title": title, "axes": [described(axes) for axes in figure.get_axes()[:32]]}
        put(f"plot-{index}.json", json.dumps(data, allow_nan=False).encode())
    except Exception:
        pass
