// Keys for moderators. Each key presses something that stands on the page with `data-key`; without this file all of it
// works by Tab and Enter. No key works while somebody types, with Ctrl, Alt or Meta, or when switched off below "Keys".
(() => {
  "use strict";

  const STORED = "boardwell.keys";
  const shown = (element) => element.getClientRects().length > 0;
  let isOn = true;
  try {
    isOn = localStorage.getItem(STORED) !== "off";
  } catch {
    // Storage may be forbidden; then the keys are on.
  }

  const box = document.getElementById("keys-on");
  if (box) {
    box.checked = isOn;
    box.parentElement.hidden = false;
    box.addEventListener("change", () => {
      isOn = box.checked;
      try {
        localStorage.setItem(STORED, isOn ? "on" : "off");
      } catch {
        // Then it holds for this page only.
      }
    });
  }

  const isTyping = (target) =>
    target.isContentEditable ||
    ["TEXTAREA", "SELECT"].includes(target.tagName) ||
    (target.tagName === "INPUT" && !["checkbox", "radio", "button", "submit"].includes(target.type));

  // Open what is folded and go to its first button; close it again with the same key.
  const unfold = (details) => {
    for (const other of document.querySelectorAll("details.quick__more[open]")) {
      if (other !== details) other.open = false;
    }
    details.open = !details.open;
    const first = details.open && details.querySelector("button, input:not([type=hidden])");
    (first && details.id !== "keys" ? first : details.querySelector("summary")).focus();
  };

  const press = (element) => {
    if (element.tagName === "DETAILS") unfold(element);
    else element.click();
  };

  // In a list the same two keys go up and down.
  const rows = Array.from(document.querySelectorAll("a[data-row]"));
  const step = (by) => {
    const place = rows.indexOf(document.activeElement);
    const next = rows[place < 0 ? (by > 0 ? 0 : rows.length - 1) : Math.min(Math.max(place + by, 0), rows.length - 1)];
    next.focus();
    next.scrollIntoView({ block: "nearest" });
  };

  document.addEventListener("keydown", (event) => {
    if (!isOn || event.ctrlKey || event.altKey || event.metaKey || event.repeat || isTyping(event.target)) return;
    if (rows.length && (event.key === "j" || event.key === "k")) {
      event.preventDefault();
      step(event.key === "j" ? 1 : -1);
      return;
    }
    const name = CSS.escape(event.key);
    const found = /^[1-9]$/.test(event.key)
      ? document.querySelector(`details.quick__more[open] [data-digit="${name}"]`)
      : Array.from(document.querySelectorAll(`[data-key="${name}"]`)).find(shown);
    if (!found) return;
    event.preventDefault();
    press(found);
  });
})();
