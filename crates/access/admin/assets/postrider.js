// What the pages do beyond what they show without a script: they go on, and a box ticks a page of boxes.

/** Puts what has changed into its place; whoever stood on a link there stands on it still. */
function replace(place, html) {
  const focused = document.activeElement;
  const inside = focused && place.contains(focused) ? focused.getAttribute("href") : null;
  const open = new Set([...place.querySelectorAll("details[open] > summary")].map((one) => one.textContent));
  place.innerHTML = html;
  offerTicks(place);
  for (const summary of place.querySelectorAll("details > summary")) {
    if (open.has(summary.textContent)) summary.parentElement.open = true;
  }
  if (inside) {
    [...place.querySelectorAll("a")].find((one) => one.getAttribute("href") === inside)?.focus();
  }
}

/** Whether somebody is about to act there: what they are at must not move under their hands. */
function isInUse(place) {
  const focused = document.activeElement;
  if (focused && place.contains(focused) && focused.matches("input, select, textarea, button")) return true;
  if (place.querySelector("input:checked, details[open] form")) return true;
  const fields = [...place.querySelectorAll("select, input:not([type=hidden], [type=checkbox])")];
  return fields.some((one) => (one.matches("select") ? one.selectedIndex > 0 : one.value !== one.defaultValue));
}

/** A box that ticks all is of use with a script only. */
function offerTicks(place) {
  for (const box of place.querySelectorAll("[data-tick]")) box.hidden = false;
}

for (const place of document.querySelectorAll("[data-live]")) {
  const events = new EventSource(place.dataset.live);
  events.addEventListener("page", (event) => {
    place.classList.remove("stale");
    if (!isInUse(place)) replace(place, event.data);
  });
  events.addEventListener("error", () => place.classList.add("stale"));
  addEventListener("pagehide", () => events.close());
}

offerTicks(document);
document.addEventListener("change", ({ target: box }) => {
  if (!box.matches("[data-tick]")) return;
  for (const one of box.form.querySelectorAll(`[name="${box.dataset.tick}"]`)) one.checked = box.checked;
});
