/**
 * Makes a <dialog> with a form ask for something. Escape closes it, and the
 * focus goes back to where it was.
 * @param {HTMLDialogElement} dialog
 * @param {HTMLButtonElement} button  opens it
 * @param {{open: () => void, submit: () => Promise<void>, done?: () => void}} steps
 *   submit fails with an error whose text is shown
 */
export function ask(dialog, button, { open, submit, done = () => {} }) {
  const form = dialog.querySelector("form");
  const input = dialog.querySelector("input");
  const error = dialog.querySelector(".error");
  let asked = 0; // what is submitted when the dialog is closed has no effect on the next
  const send = async () => {
    if (input.value.trim() === "") return;
    const turn = asked;
    error.textContent = "";
    try {
      await submit();
    } catch (reason) {
      if (turn === asked) error.textContent = reason.message;
      return;
    }
    if (turn !== asked) return;
    dialog.close();
    done();
  };

  button.addEventListener("click", () => {
    asked++;
    error.textContent = "";
    form.reset();
    open();
    dialog.showModal();
    input.focus();
    input.select();
  });
  dialog.querySelector(".cancel").addEventListener("click", () => dialog.close());
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    send();
  });
  return { submit: send };
}
