"""The data flow diagram: boxes with the names of real modules, drawn without any library."""

from __future__ import annotations

import argparse
from html import escape
from pathlib import Path

WIDTH, BOX_X, BOX_WIDTH, LINE, GAP = 470, 74, 340, 19, 26

# Name, modules, and what passes to the next box.
BOXES = [
    ("Dataset", ["thinnet.data.dataset"], "row numbers from thinnet.data.batches"),
    ("Batch", ["thinnet.data.rows · thinnet.steps.base"], "X (N, D), standardized; y (N,)"),
    (
        "one Step",
        [
            "chosen by thinnet.steps.choose",
            "readable: thinnet.layers",
            "fused: thinnet.products · thinnet.kernels",
            "thinned: either one, on the units that are kept",
        ],
        "loss, gradients",
    ),
    ("FlatOptimizer", ["thinnet.optim · thinnet.schedules"], "new weights, in place"),
    ("Spec and State", ["thinnet.spec · thinnet.state"], "after each epoch: scores in test mode"),
    ("evaluation", ["thinnet.training.evaluator"], "losses, accuracies, seconds"),
    ("TrainingState", ["thinnet.training.state · thinnet.history"], "checkpoints: thinnet.storage.checkpoint"),
    ("a run's folder", ["thinnet.runs"], "config, net, result"),
    ("report", ["thinnet.report"], ""),
]
NAMES = [name for name, _, _ in BOXES]
LOOP = (NAMES.index("Batch"), NAMES.index("Spec and State"))  # the boxes that the training loop repeats
STEP = NAMES.index("one Step")  # the box that uses the net

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


def height(number: int) -> int:
    """The height of a box."""
    return 35 + LINE * len(BOXES[number][1])


def top(number: int) -> int:
    """The y coordinate of the top of a box."""
    return 14 + sum(height(above) + GAP for above in range(number))


def box(number: int, name: str, modules: list[str], flow: str) -> list[str]:
    """A box, and the arrow down from it."""
    y, middle = top(number), BOX_X + BOX_WIDTH // 2
    lines = [
        f'<rect class="box" x="{BOX_X}" y="{y}" width="{BOX_WIDTH}" height="{height(number)}" rx="9"/>',
        f'<text class="name" x="{middle}" y="{y + 23}" text-anchor="middle">{escape(name)}</text>',
    ]
    for row, module in enumerate(modules):
        at = y + 43 + LINE * row
        lines.append(f'<text class="module" x="{middle}" y="{at}" text-anchor="middle">{escape(module)}</text>')
    if number + 1 < len(BOXES):
        start, end = y + height(number), top(number + 1)
        lines += [
            f'<path class="arrow" d="M{BOX_X + 34} {start}V{end - 7}"/>',
            f'<path class="head" d="M{BOX_X + 28} {end - 8}h12l-6 8z"/>',
            f'<text class="flow" x="{BOX_X + 50}" y="{start + 17}">{escape(flow)}</text>',
        ]
    return lines


def loop() -> list[str]:
    """The arrow back from the weights to the next minibatch, on the left."""
    first, last = (top(number) + height(number) // 2 for number in LOOP)
    return [
        f'<path class="loop" d="M{BOX_X} {last}H46V{first}H{BOX_X - 8}"/>',
        f'<path class="loop-head" d="M{BOX_X - 9} {first - 6}v12l9 -6z"/>',
        *upright("loop-text", 32, (first + last) // 2, "thinnet.training.loop: the next step"),
    ]


def net() -> list[str]:
    """The arrow for the net, which every step uses, on the right."""
    into, last = (top(number) + height(number) // 2 for number in (STEP, LOOP[1]))
    edge = BOX_X + BOX_WIDTH
    return [
        f'<path class="arrow" d="M{edge} {last}H{edge + 24}V{into}H{edge + 8}"/>',
        f'<path class="head" d="M{edge + 9} {into - 6}v12l-9 -6z"/>',
        *upright("flow", edge + 42, (into + last) // 2, "thinnet.nets: the net"),
    ]


def upright(kind: str, x: int, y: int, text: str) -> list[str]:
    """A text rotated to read from bottom to top."""
    turned = f'transform="translate({x} {y}) rotate(-90)" text-anchor="middle"'
    return [f'<text class="{kind}" {turned}>{escape(text)}</text>']


def picture() -> str:
    """The whole diagram as SVG."""
    whole = top(len(BOXES)) - GAP + 14
    inside = [line for number, one in enumerate(BOXES) for line in box(number, *one)] + loop() + net()
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {whole}" width="{WIDTH}" height="{whole}">',
            "<title>The way of the data: " + ", ".join(NAMES) + "</title>",
            f"<style>{STYLE}</style>",
            f'<rect class="paper" width="{WIDTH}" height="{whole}"/>',
            *inside,
            "</svg>\n",
        ]
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--output", type=Path, default=Path(__file__).parent, help="the folder (default: this one)")
    parser.add_argument("--quick", action="store_true", help="makes no difference here")
    (parser.parse_args().output / "way.svg").write_text(picture(), encoding="utf-8")
