// What is wrong with a page for those who do not see it well, or do not use a mouse: a list of sentences.
(() => {
  const faults = [];
  const visible = (el) => el.checkVisibility({ visibilityProperty: true });
  const say = (el, what) => faults.push(`${what}: ${el.outerHTML.slice(0, 160)}`);

  const named = (ids) => ids.split(/\s+/).map((id) => document.getElementById(id)?.textContent ?? '').join(' ');
  const nameOf = (el) => (el.getAttribute('aria-label') || (el.hasAttribute('aria-labelledby') && named(el.getAttribute('aria-labelledby'))) ||
    [...(el.labels ?? [])].map((label) => label.textContent).join(' ') || (el.matches('input, select') ? '' : el.textContent)).trim();
  const controls = [...document.querySelectorAll('a[href], button, input, select, textarea, summary, [tabindex="0"], [role="region"]')]
    .filter(visible);
  controls.filter((el) => !nameOf(el)).forEach((el) => say(el, 'a control without a name'));
  const names = new Map();
  controls.filter((el) => el.matches('button')).forEach((el) => {
    if (names.has(nameOf(el)) && nameOf(el) !== 'Copy the command') say(el, 'two buttons of one name');
    names.set(nameOf(el), el);
  });
  controls.filter((el) => el.matches('button, input, select')).forEach((el) => {
    const { width, height } = el.getBoundingClientRect();
    if (width < 24 || height < 24) say(el, `a target of ${width} × ${height} pixels`);
  });

  let level = 0;
  document.querySelectorAll('h1, h2, h3, h4, h5, h6').forEach((el) => {
    const own = +el.tagName[1];
    if (own > level + 1) say(el, `a heading of level ${own} behind one of level ${level}`);
    level = own;
  });
  if (document.querySelectorAll('h1').length !== 1) faults.push('not one h1');
  if (document.querySelectorAll('main').length !== 1) faults.push('not one main');
  if (!document.documentElement.lang || !document.title) faults.push('no language or no title');
  document.querySelectorAll('img:not([alt])').forEach((el) => say(el, 'a picture without alt'));
  document.querySelectorAll('svg').forEach((el) => {
    if (el.getAttribute('role') !== 'img' || !nameOf(el)) say(el, 'a picture without a name');
  });
  document.querySelectorAll('th').forEach((el) => { if (!el.scope) say(el, 'a heading of a table that does not say of what'); });
  const ids = new Set();
  document.querySelectorAll('[id]').forEach((el) => {
    if (ids.has(el.id)) say(el, 'an id that is there twice');
    ids.add(el.id);
  });
  document.querySelectorAll('a[href^="#"], label[for], [aria-labelledby]').forEach((el) => {
    const to = (el.getAttribute('href') ?? '').slice(1) || el.htmlFor || el.getAttribute('aria-labelledby');
    if (!document.getElementById(to)) say(el, `${to} is not there`);
  });

  // WCAG 2.2, 1.4.3: relative luminances of the text and of what lies behind it.
  const channels = (colour) => {
    const numbers = colour.match(/[\d.]+(?:e-?\d+)?/g).map(Number);
    const scale = colour.startsWith('color(') ? 1 : 255;
    return { rgb: numbers.slice(0, 3).map((v) => v / scale), alpha: numbers[3] ?? 1 };
  };
  const over = (top, below) => ({ rgb: top.rgb.map((v, i) => v * top.alpha + below.rgb[i] * (1 - top.alpha)), alpha: 1 });
  const behind = (el) => {
    const layers = [];
    for (let at = el; at; at = at.parentElement) layers.push(channels(getComputedStyle(at).backgroundColor));
    return layers.reverse().reduce((below, top) => over(top, below), { rgb: [1, 1, 1], alpha: 1 });
  };
  const luminance = ({ rgb }) => rgb.map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4))
    .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  let texts = 0;
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walk.nextNode()) {
    const el = walk.currentNode.parentElement;
    if (!walk.currentNode.textContent.trim() || !visible(el) || el.matches('script, style, option')) continue;
    texts++;
    const style = getComputedStyle(el);
    const ground = behind(el);
    const ink = over(channels(el.closest('svg') ? style.fill : style.color), ground);
    const [light, dark] = [luminance(ink), luminance(ground)].sort((a, b) => b - a);
    const ratio = (light + 0.05) / (dark + 0.05);
    if (!(ratio >= 4.5)) say(el, `contrast ${ratio.toFixed(2)}`);
  }
  if (texts < 20) faults.push(`${texts} texts were looked at`);

  const wide = document.documentElement.scrollWidth;
  if (wide > document.documentElement.clientWidth && !matchMedia('print').matches) { // a printer makes what is wide smaller
    const beyond = [...document.querySelectorAll('body *')]
      .filter((el) => !el.closest('.scroll') && el.getBoundingClientRect().right > innerWidth + 1);
    faults.push(`${wide} pixels wide in ${document.documentElement.clientWidth}:
      ${beyond.slice(0, 3).map((el) => el.outerHTML.slice(0, 80)).join(' | ')}`);
  }
  return faults;
})()
