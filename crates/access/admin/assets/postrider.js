// What the pages do beyond what they show without a script: they go on, and a box ticks a page of boxes.

/** Puts what has changed into its place; whoever stood on a link there stands on it still. */
function replace(place, html) {
  const focused = document.activeElement;
  const inside = focused && place.contains(focused) ? focused.getAttribute("href") : null;
  const open = new Set([...place.querySelectorAll("details[open] > summary")].map((one) => one.textContent));
  place.innerHTML = html;
  for (const summary of place.querySelectorAll("details > summary")) {
    if (open.has(summary.textContent)) summary.parentElement.open = true;
  }
  if (inside) {
    [...place.querySelectorAll("a")].find((one) => one.getAttribute("href") === inside)?.focus();
  }
}

for (const place of document.querySelectorAll("[data-live]")) {
  const events = new EventSource(place.dataset.live);
  events.addEventListener("page", (event) => {
    place.classList.remove("stale");
    replace(place, event.data);
  });
  events.addEventListener("error", () => place.classList.add("stale"));
  addEventListener("pagehide", () => events.close());
}

for (const box of document.querySelectorAll("[data-tick]")) {
  box.hidden = false;
  box.addEventListener("change", () => {
    for (const one of box.form.elements[box.dataset.tick]?.forEach ? box.form.elements[box.dataset.tick] : [box.form.elements[box.dataset.tick]]) {
      if (one) one.checked = box.checked;
    }
  });
}
