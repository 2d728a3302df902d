// The author's desk: asks every second whether the file or the answers have changed, and shows what has.

const panel = /** @type {HTMLElement} */ (document.getElementById("panel"));
const page = /** @type {HTMLIFrameElement} */ (document.getElementById("page"));
page.name = "page"; // links of the path open there

/** @param {HTMLElement} made */
const replace = (made) => {
  const before = panel.querySelector("section")?.dataset.version;
  panel.replaceChildren(...made.children);
  const now = panel.querySelector("section");
  panel.dataset.state = now?.dataset.state;
  // The file has changed: the page on the left is drawn anew, the answers stay.
  if (before !== now?.dataset.version) page.contentWindow?.location.reload();
};

setInterval(() => {
  const asked = new XMLHttpRequest(); // gives a document without making one from a text, which Trusted Types forbid
  asked.responseType = "document";
  asked.open("GET", `/panel?state=${panel.dataset.state}`);
  asked.onload = () => asked.status === 200 && asked.response && replace(asked.response.body);
  asked.send();
}, 1000);
