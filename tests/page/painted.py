"""Read back from its canvas what a view of attention has painted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from playwright.sync_api import Page

# Only cells are painted on the first canvas, and cells of weight zero are painted too.
READ_CELLS = """
(n) => {
  const canvas = document.querySelector(".rs-attention .rs-map canvas");
  const [width, height] = [canvas.width, canvas.height];
  const pixels = canvas.getContext("2d").getImageData(0, 0, width, height).data;
  let [left, top, right] = [width, height, 0];
  for (let i = 0; i < width * height; i++) {
    if (!pixels[4 * i + 3]) continue;
    const x = i % width;
    left = Math.min(left, x);
    right = Math.max(right, x);
    top = Math.min(top, Math.floor(i / width));
  }
  if (right < left) return null;
  const across = right - left + 1;
  const cell = (across / n >= 7 ? across + 1 : across) / n;
  const light = [];
  for (let query = 0; query < n; query++) {
    for (let key = 0; key <= query; key++) {
      const x = Math.floor(left + (key + 0.5) * cell);
      const y = Math.floor(top + (query + 0.5) * cell);
      const [r, g, b] = pixels.slice(4 * (y * width + x), 4 * (y * width + x) + 3);
      light.push(r + g + b);
    }
  }
  const ratio = width / parseFloat(canvas.style.width);
  return { left: left / ratio, top: top / ratio, cell: cell / ratio, light };
}
"""


def cells(page: Page, length: int) -> dict[str, Any]:
    """Where the cells of the map begin, how large one is, and how light each is, row by row."""
    found: dict[str, Any] = page.evaluate(READ_CELLS, length)
    return found


def shows(page: Page, weights: np.ndarray) -> bool:
    """Tell whether the map shows these weights [query key]: on a light page darker means more."""
    length = len(weights)
    light = np.array(cells(page, length)["light"])
    true = weights[np.tril_indices(length)]
    darkest_first = true[np.argsort(light, kind="stable")]
    return bool((np.diff(darkest_first) <= 0.01).all())
