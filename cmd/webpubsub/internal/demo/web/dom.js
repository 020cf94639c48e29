// Small help with the page. Text is only ever text: it never becomes markup.

/** The element with an id. */
export const $ = (id) => document.getElementById(id);

/**
 * Makes an element.
 * @param {string} tag
 * @param {Record<string, string>} attributes
 * @param {...(Node|string)} children
 */
export function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

/** Sets a text, and touches the page only when it is another one. */
export function say(target, text) {
  if (target.textContent !== text) target.textContent = text;
}

/** A number and what it counts: count(1, "person", "people"). */
export const count = (n, one, many = `${one}s`) => `${n} ${n === 1 ? one : many}`;

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
