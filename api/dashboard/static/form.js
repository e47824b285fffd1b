// Shows the parameters of a method as soon as it is chosen; the button does the same without this.
"use strict";
for (const choice of document.querySelectorAll("[data-update]")) {
  choice.addEventListener("change", () => choice.form.requestSubmit(choice.form.querySelector("[value=update]")));
}
