// The author's desk: asks every second whether the file or the answers have changed, and shows what has.

const panel = /** @type {HTMLElement} */ (document.getElementById("panel"));
const page = /** @type {HTMLIFrameElement} */ (document.getElementById("page"));
page.name = "page"; // links of the path open there

/** @param {string} text */
const replace = (text) => {
  const made = new DOMParser().parseFromString(text, "text/html").body;
  const before = panel.querySelector("section")?.dataset.version;
  panel.replaceChildren(...made.children);
  const now = panel.querySelector("section");
  panel.dataset.state = now?.dataset.state;
  // The file has changed: the page on the left is drawn anew, the answers stay.
  if (before !== now?.dataset.version) page.contentWindow?.location.reload();
};

setInterval(async () => {
  const answer = await fetch(`/panel?state=${panel.dataset.state}`).catch(() => null);
  if (answer?.status === 200) replace(await answer.text());
}, 1000);
