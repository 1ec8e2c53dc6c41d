// Small comforts on top of pages that work without any script.
(() => {
  "use strict";

  // Move the keyboard to the list of errors, so that it is read out first.
  const summary = document.querySelector(".error-summary");
  if (summary) summary.focus();

  // Count characters while typing. The server counts again and decides.
  for (const box of document.querySelectorAll("[data-count-max]")) {
    const status = document.getElementById(box.dataset.countStatus);
    if (!status) continue;
    const most = Number(box.dataset.countMax);
    const show = () => {
      const left = most - Array.from(box.value).length;
      const words = left < 0 ? status.dataset.over : status.dataset.left;
      status.textContent = words.replace("{n}", Math.abs(left).toLocaleString(document.documentElement.lang));
      status.classList.toggle("is-over", left < 0);
    };
    box.addEventListener("input", show);
    show();
  }

  // "Copy link" keeps its ordinary meaning as a link wherever copying is not possible.
  document.addEventListener("click", async (event) => {
    const link = event.target.closest && event.target.closest("a[data-copy-link]");
    if (!link || event.ctrlKey || event.metaKey || event.shiftKey || !navigator.clipboard) return;
    event.preventDefault();
    try {
      await navigator.clipboard.writeText(link.href);
      const said = document.getElementById("page-status");
      if (said) said.textContent = link.dataset.copied;
      const label = link.querySelector("[data-label]");
      if (label) label.textContent = link.dataset.copied;
    } catch {
      location.assign(link.href);
    }
  });

  // The member menu closes with Escape and when the keyboard or pointer leaves it.
  for (const menu of document.querySelectorAll("details.menu")) {
    menu.addEventListener("keydown", (event) => {
      if (event.key !== "Escape" || !menu.open) return;
      menu.open = false;
      menu.querySelector("summary").focus();
    });
    document.addEventListener("click", (event) => {
      if (!menu.contains(event.target)) menu.open = false;
    });
  }
})();
