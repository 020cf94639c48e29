// Where the window is too narrow for chat and events beside each other, they
// become tabs. In a wide one there are no tabs, for nobody.

/**
 * @param {HTMLElement} list  holds the buttons; each names its panel in aria-controls
 * @param {MediaQueryList} narrow
 */
export function tabs(list, narrow) {
  const buttons = [...list.querySelectorAll("button")];
  const panel = (button) => document.getElementById(button.getAttribute("aria-controls"));
  let selected = buttons[0];

  const draw = () => {
    list.hidden = !narrow.matches;
    for (const button of buttons) {
      const on = button === selected;
      button.setAttribute("aria-selected", String(on));
      button.tabIndex = on ? 0 : -1;
      panel(button).hidden = narrow.matches && !on;
      if (narrow.matches) {
        panel(button).setAttribute("role", "tabpanel");
        panel(button).setAttribute("aria-labelledby", button.id);
      } else {
        panel(button).removeAttribute("role");
        panel(button).removeAttribute("aria-labelledby");
      }
    }
  };
  const select = (button) => {
    selected = button;
    draw();
    button.focus();
  };

  for (const button of buttons) button.addEventListener("click", () => select(button));
  list.addEventListener("keydown", (event) => {
    const to = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!to) return;
    event.preventDefault();
    select(buttons.at((buttons.indexOf(selected) + to) % buttons.length));
  });
  narrow.addEventListener("change", draw);
  draw();
}
