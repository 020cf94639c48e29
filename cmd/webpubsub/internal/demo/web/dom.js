// Small help with the page; elements are made by a module of the panel.

/** The element with an id. */
export const $ = (id) => document.getElementById(id);

// The angle of a colour that belongs to a name.
function hue(name) {
  let sum = 0;
  for (const letter of name) sum = (sum * 31 + letter.codePointAt(0)) % 1_000_003;
  return (sum * 47) % 360;
}

/** Gives an element the colour of a name. */
export function colour(target, name) {
  target.style.setProperty("--hue", String(hue(name)));
}

/**
 * Collects what has to be drawn until the next frame. A page in the background
 * gets no frames, so a timer stands in.
 * @param {(parts: Set<string>) => void} draw
 */
export function drawing(draw) {
  let parts = new Set();
  const run = () => {
    if (parts.size === 0) return;
    const now = parts;
    parts = new Set();
    draw(now);
  };
  return (part) => {
    if (parts.size === 0) {
      requestAnimationFrame(run);
      setTimeout(run, 250);
    }
    parts.add(part);
  };
}
