"""Two small plots as SVG, with nothing but text."""
from html import escape
from math import log10

STYLE = "<style>text{font:12px sans-serif;fill:#222}.faint{fill:#777}</style>"


def bars(path, rows):
    """How far each figure is from what it must reach: 1 is just reached, longer is better."""
    width, height, left = 760, 26 * len(rows) + 40, 330
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}">', STYLE,
           f'<rect width="{width}" height="{height}" fill="#fff"/>']
    unit = 90  # pixels of a factor of one
    for i, row in enumerate(rows):
        must, value = row["must"], max(row["median"], 1e-9)
        factor = value / must if row["better"] == "higher" else must / value
        color = {"aim": "#2a7", "must": "#7b4", "no": "#c44"}[row["reached"]]
        y = 12 + 26 * i
        length = min(factor, 4) * unit
        out.append(f'<text x="{left - 8}" y="{y + 13}" text-anchor="end">{escape(row["case"].strip())}</text>')
        out.append(f'<rect x="{left}" y="{y}" width="{length:.0f}" height="18" fill="{color}"/>')
        out.append(f'<text class="faint" x="{left + length + 5:.0f}" y="{y + 13}">{factor:.2f}</text>')
    out.append(f'<line x1="{left + unit}" y1="6" x2="{left + unit}" y2="{height - 24}" stroke="#222" stroke-dasharray="3 3"/>')
    out.append(f'<text class="faint" x="{left + unit}" y="{height - 8}" text-anchor="middle">must be reached</text></svg>')
    with open(path, "w") as file:
        file.write("\n".join(out))


def line(path, points, x_name, y_name):
    """Points over a logarithmic x axis."""
    width, height, margin = 640, 320, 60
    x_max = max(log10(max(x, 1)) for x, _ in points) or 1
    y_max = max(y for _, y in points) * 1.25
    place = [(margin + log10(max(x, 1)) / x_max * (width - 2 * margin), height - margin - y / y_max * (height - 2 * margin))
             for x, y in points]
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}">', STYLE,
           f'<rect width="{width}" height="{height}" fill="#fff"/>',
           f'<path d="M{margin},{margin / 2} V{height - margin} H{width - margin / 2}" fill="none" stroke="#222"/>',
           f'<polyline points="{" ".join(f"{x:.0f},{y:.0f}" for x, y in place)}" fill="none" stroke="#27c" stroke-width="2"/>']
    for (x, y), (x_value, y_value) in zip(place, points):
        out.append(f'<circle cx="{x:.0f}" cy="{y:.0f}" r="4" fill="#27c"/>')
        out.append(f'<text x="{x:.0f}" y="{y - 10:.0f}" text-anchor="middle">{y_value:.1f}</text>')
        out.append(f'<text class="faint" x="{x:.0f}" y="{height - margin + 18}" text-anchor="middle">{x_value:,}</text>')
    out.append(f'<text x="{width / 2}" y="{height - 16}" text-anchor="middle">{escape(x_name)}</text>')
    out.append(f'<text x="16" y="{margin / 2 + 4}">{escape(y_name)}</text></svg>')
    with open(path, "w") as file:
        file.write("\n".join(out))
