"""Draws the pictures of the documentation: python examples/gallery.py [NAME...]

Without a name it draws all of them. One trains two classifiers, which takes a minute.
"""

import argparse
from collections.abc import Callable
from pathlib import Path

from gallery_bits import draw_orders
from gallery_cap import draw_alphas, draw_caps, draw_plane, draw_triangle
from gallery_gradients import draw_jacobians
from quickstart import show_digits

DOCS = Path(__file__).resolve().parents[1] / "docs"
PICTURES: dict[str, Callable[[Path], None]] = {
    "quickstart.png": show_digits,
    "pictures/caps.svg": draw_caps,
    "pictures/alphas.svg": draw_alphas,
    "pictures/triangle.svg": draw_triangle,
    "pictures/plane.png": draw_plane,
    "pictures/jacobians.svg": draw_jacobians,
    "pictures/orders.svg": draw_orders,
}


def main() -> None:
    parser = argparse.ArgumentParser(description="Draw the pictures of the documentation.")
    parser.add_argument("name", nargs="*", help=f"which, of: {', '.join(PICTURES)}")
    parser.add_argument("--folder", type=Path, default=DOCS, help="where to (default: %(default)s)")
    arguments = parser.parse_args()
    for name in arguments.name or PICTURES:
        if name not in PICTURES:
            parser.error(f"there is no picture {name}; there are {', '.join(PICTURES)}")
        path = arguments.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        PICTURES[name](path)
        print(path)


if __name__ == "__main__":
    main()
