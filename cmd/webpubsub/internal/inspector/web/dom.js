// @ts-check
// Building elements. What others wrote is always text here, never markup. The
// page of the demo uses this module too.

/**
 * Makes an element. Functions and what the element has as a property are set as
 * properties, the rest as attributes; null and undefined are left out.
 *
 * @param {string} tag
 * @param {Record<string, any>} [props]
 * @param {...(Node | string | null | undefined)} children
 * @returns {any} the element, of whatever kind the tag makes it
 */
export function el(tag, props = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) {
    if (value === null || value === undefined) continue;
    if (name in element) {
      /** @type {any} */ (element)[name] = value;
    } else {
      element.setAttribute(name, value);
    }
  }
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

/** Sets a text, and touches the page only when it is another one. @param {Element} element @param {string} text */
export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/**
 * Puts text into the clipboard, also where the page has no right to the newer
 * way: it then asks the browser to copy a selection.
 *
 * @param {string} text
 * @param {Element} near where the selection is made; it should be next to the focus
 */
export async function copyText(text, near) {
  try {
    await navigator.clipboard.writeText(text);
    return;
  } catch {
    // No secure context or no permission: the older way may still work.
  }
  const focused = /** @type {HTMLElement | null} */ (document.activeElement);
  const area = el("textarea", { className: "visually-hidden", value: text, tabIndex: -1, "aria-hidden": "true" });
  near.append(area);
  area.select();
  const copied = document.execCommand("copy");
  area.remove();
  focused?.focus({ preventScroll: true });
  if (!copied) throw new Error("the browser does not let this page copy");
}
