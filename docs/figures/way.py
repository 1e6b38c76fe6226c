"""The picture of the way of the data: boxes with the names of real modules, drawn without any library."""

from __future__ import annotations

import argparse
from html import escape
from pathlib import Path

WIDTH, BOX_X, BOX_WIDTH, HEIGHT, GAP = 470, 84, 320, 54, 26

# What it is, the module, and what goes on to the next box.
BOXES = [
    ("Dataset", "thinnet.data.dataset", "row numbers from thinnet.data.batches"),
    ("RowReader", "thinnet.data.rows", "X (N, D), standardized; y (N,)"),
    ("FullyConnectedNet, forward", "thinnet.nets · thinnet.layers · thinnet.kernels", "scores (N, C), caches"),
    ("loss", "thinnet.layers.losses", "loss, dscores (N, C)"),
    ("FullyConnectedNet, backward", "thinnet.nets · thinnet.layers · thinnet.kernels", "gradients, one flat buffer"),
    ("FlatOptimizer", "thinnet.optim · thinnet.schedules", "new weights, in place"),
    ("Parameters", "thinnet.parameters", "after each epoch: scores in test mode"),
    ("evaluation", "thinnet.training.evaluation", "losses, accuracies, seconds"),
    ("History", "thinnet.history", "a run's folder: thinnet.runs"),
    ("report", "thinnet.report", ""),
]
STEP = (1, 6)  # what one training step goes through, again and again

STYLE = """
:root { --ink: #16202b; --soft: #55626f; --box: #eef4f9; --line: #0072b2; --loop: #b34700; --paper: #ffffff }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e8edf2; --soft: #a9b6c2; --box: #1b2733; --line: #3d9fe0; --loop: #f07f33; --paper: #131416 } }
text { fill: var(--ink);
  font-family: system-ui, -apple-system, 'Segoe UI', Roboto, 'Liberation Sans', Arial, sans-serif }
.paper { fill: var(--paper) } .box { fill: var(--box); stroke: var(--line); stroke-width: 1.5 }
.name { font-size: 16px; font-weight: 600 } .module { font-size: 12.5px; fill: var(--soft) }
.flow { font-size: 12.5px; fill: var(--soft) } .arrow { fill: none; stroke: var(--line); stroke-width: 2 }
.head { fill: var(--line) } .loop { fill: none; stroke: var(--loop); stroke-width: 2; stroke-dasharray: 6 4 }
.loop-head { fill: var(--loop) } .loop-text { font-size: 13px; fill: var(--loop); font-weight: 600 }
"""


def top(number: int) -> int:
    """Where a box begins."""
    return 14 + number * (HEIGHT + GAP)


def box(number: int, name: str, module: str, flow: str) -> list[str]:
    """One box, and the arrow down from it."""
    y, middle = top(number), BOX_X + BOX_WIDTH // 2
    lines = [
        f'<rect class="box" x="{BOX_X}" y="{y}" width="{BOX_WIDTH}" height="{HEIGHT}" rx="9"/>',
        f'<text class="name" x="{middle}" y="{y + 23}" text-anchor="middle">{escape(name)}</text>',
        f'<text class="module" x="{middle}" y="{y + 43}" text-anchor="middle">{escape(module)}</text>',
    ]
    if number + 1 < len(BOXES):
        end = top(number + 1)
        lines += [
            f'<path class="arrow" d="M{BOX_X + 34} {y + HEIGHT}V{end - 7}"/>',
            f'<path class="head" d="M{BOX_X + 28} {end - 8}h12l-6 8z"/>',
            f'<text class="flow" x="{BOX_X + 50}" y="{y + HEIGHT + 17}">{escape(flow)}</text>',
        ]
    return lines


def loop() -> list[str]:
    """The way back from the parameters to the next minibatch."""
    first, last = top(STEP[0]) + HEIGHT // 2, top(STEP[1]) + HEIGHT // 2
    middle = (first + last) // 2
    return [
        f'<path class="loop" d="M{BOX_X} {last}H52V{first}H{BOX_X - 8}"/>',
        f'<path class="loop-head" d="M{BOX_X - 9} {first - 6}v12l9 -6z"/>',
        f'<text class="loop-text" transform="translate(38 {middle}) rotate(-90)" text-anchor="middle">'
        "thinnet.solver: the next step</text>",
    ]


def picture() -> str:
    """The whole of it."""
    height = top(len(BOXES)) - GAP + 14
    inside = [line for number, one in enumerate(BOXES) for line in box(number, *one)] + loop()
    return "\n".join(
        [
            '<svg xmlns="http://www.w3.org/2000/svg" '
            f'viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}">',
            "<title>The way of the data: " + ", ".join(name for name, _, _ in BOXES) + "</title>",
            f"<style>{STYLE}</style>",
            f'<rect class="paper" width="{WIDTH}" height="{height}"/>',
            *inside,
            "</svg>\n",
        ]
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--output", type=Path, default=Path(__file__).parent, help="the folder (default: this one)")
    parser.add_argument("--quick", action="store_true", help="makes no difference here")
    (parser.parse_args().output / "way.svg").write_text(picture(), encoding="utf-8")
