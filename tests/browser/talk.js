// What an official's finger does in a test, quickly: fills each page of the app as it stands and presses its button.
window.talk = (() => {
  const view = document.getElementById('view');
  const until = async (found, what) => {
    for (let n = 0; n < 7500; n += 1) {
      const value = found();
      if (value) return value;
      await new Promise((resolve) => setTimeout(resolve, 4));
    }
    throw new Error(`${what} did not come at ${location.hash}: ${view.innerText.slice(0, 300)}`);
  };
  const shown = (node) => node.offsetParent !== null;
  const say = (question, first) => {
    const choices = [...question.querySelectorAll('.option input[type=radio], .option input[type=checkbox]')];
    const text = question.querySelector('.entry input, textarea');
    const confirm = question.querySelector('.confirm input[type=checkbox]');
    if (confirm) confirm.checked = true;
    const { q } = question.dataset;
    const wanted = q === 'relationship' && !first ? choices[1] : choices[0];
    if (text) text.value ||= q === 'nickname' ? 'Bà Tư' : q.includes('year') ? '1980' : '1';
    else if (wanted) wanted.checked = true;
    question.dispatchEvent(new Event('change', { bubbles: true }));
  };
  /** Everything asked on the page, also what an answer opens. */
  const fill = (first) => {
    const said = new Set();
    for (;;) {
      const next = [...view.querySelectorAll('form [data-q]')].find((node) => shown(node) && !said.has(node.dataset.q));
      if (!next) return;
      said.add(next.dataset.q);
      say(next, first);
    }
  };
  const form = () => view.querySelector('[data-part=page] form');
  async function interview(id, people = 1, pages = Infinity) {
    location.hash = `#/case/${id}`;
    (await until(() => location.hash === `#/case/${id}` && view.querySelector('[data-part=interview]'), 'the case')).click();
    let before = null;
    for (let n = 0; n < pages; n += 1) {
      await until(() => location.hash.startsWith('#/interview') && (view.querySelector('.receipt') || (form() && form() !== before)), 'the next page');
      if (view.querySelector('.receipt')) return true;
      before = form();
      const add = view.querySelector('a[href$="/add"]');
      const rows = view.querySelectorAll('.rows li').length;
      if (add && rows < people) {
        add.click();
        await until(() => form() && form() !== before, 'the new person');
        before = form();
        fill(rows === 0);
      } else fill(false);
      await talk.rest();
      (view.querySelector('[data-part=page] > button') ?? before.querySelector('button:not([hidden])')).click();
    }
    return false;
  }
  async function day(ids, people) {
    for (const id of ids) {
      await interview(id, people);
      talk.done.push(id);
    }
  }
  return { interview, day, done: [], failed: '', rest: () => {} };
})();
