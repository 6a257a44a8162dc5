
// The page's own script. It shows what the slider stands at, saves tables and pictures, and copies commands. All that it shows is in the page's
// data, in words; it computes nothing, loads nothing, and puts text into the page as text alone.
(() => {
  'use strict';
  const data = JSON.parse(document.getElementById('data').textContent);
  const $ = (id) => document.getElementById(id);

  const button = (name, about, act) => {
    const made = document.createElement('button');
    made.type = 'button';
    made.textContent = name;
    made.setAttribute('aria-label', about);
    made.addEventListener('click', () => act(made));
    return made;
  };

  const save = (name, type, text) => {
    const link = document.createElement('a');
    link.href = URL.createObjectURL(new Blob([text], { type }));
    link.download = name;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10000);
  };

  // Outside the page a picture has its own colours, on white.
  const drawn = (svg) => {
    const copy = svg.cloneNode(true);
    copy.querySelectorAll('.at').forEach((mark) => mark.remove());
    copy.removeAttribute('role');
    copy.setAttribute('style', 'background: #fff');
    return new XMLSerializer().serializeToString(copy).replace(/var\(--[0-9a-z]+, (#[0-9A-F]{6})\)/g, '$1');
  };

  document.querySelectorAll('section.table').forEach((section, i) => {
    const title = section.querySelector('h2').textContent;
    section.append(button('Save as CSV', `Save as CSV: ${title}`, () => save(data.tables[i].name, 'text/csv', data.tables[i].text)));
  });
  document.querySelectorAll('figure.picture').forEach((figure) => {
    const svg = figure.querySelector('svg');
    figure.append(button('Save as SVG', `Save as SVG: ${svg.getAttribute('aria-label')}`,
      () => save(`${figure.dataset.name}.svg`, 'image/svg+xml', drawn(svg))));
  });
  document.querySelectorAll('code.command').forEach((code) => {
    code.after(' ', button('Copy', 'Copy the command', async (pressed) => {
      try {
        await navigator.clipboard.writeText(code.textContent);
        pressed.textContent = 'Copied';
      } catch { // where a page may not, the reader copies what is selected
        getSelection().selectAllChildren(code);
        pressed.textContent = 'Selected';
      }
      setTimeout(() => { pressed.textContent = 'Copy'; }, 2000);
    }));
  });
  document.body.classList.add('running');

  const explorer = data.explorer;
  if (!explorer) return;
  const slider = $('share');
  const ranking = $('ranking'); // absent where there is one
  const mostMarks = 7; // there is room for below the slider on a phone

  const passage = (place, says) => {
    place.textContent = says ? says.same : '';
    if (says && says.other) {
      const other = document.createElement('mark');
      other.textContent = says.other;
      place.append(other);
    }
  };

  const mark = (figure, share) => {
    const svg = figure.querySelector('svg');
    const place = figure.dataset;
    const { width, height } = svg.viewBox.baseVal;
    const along = (share - place.low) / (place.high - place.low);
    let at = svg.querySelector('.at');
    if (!at) {
      at = document.createElementNS('http://www.w3.org/2000/svg', 'line');
      at.setAttribute('class', 'at');
      svg.append(at);
    }
    const x = width * (+place.left + along * (place.right - place.left));
    Object.entries({ x1: x, x2: x, y1: height * place.top, y2: height * place.bottom }).forEach(([name, v]) => at.setAttribute(name, v));
  };

  const line = () => explorer.lines[ranking ? ranking.value : 0];

  const show = () => {
    const stop = line().stops[slider.value];
    $('amount').textContent = stop.amount;
    slider.setAttribute('aria-valuetext', stop.amount);
    $('finding').textContent = stop.finding;
    $('finding').className = `finding ${stop.grade}`;
    $('step').hidden = !stop.command;
    $('command').textContent = stop.command;
    document.querySelectorAll('#figures tbody tr').forEach((row, i) => { row.lastElementChild.textContent = stop.figures[i]; });
    document.querySelectorAll('#explorer .says').forEach((place, i) => passage(place, stop.says && stop.says[i]));
    document.querySelectorAll('.curves .picture').forEach((figure) => mark(figure, stop.share));
    [...$('stops').children].forEach((place, i) => place.classList.toggle('here', i === +slider.value));
    const boxes = $('boxes');
    if (boxes) {
      const gone = new Set(stop.gone);
      [...boxes.children].forEach((box, i) => box.classList.toggle('gone', gone.has(i)));
      boxes.setAttribute('aria-label', `the model's layers, of which ${stop.which} goes`);
    }
  };

  // Another ranking is shown at the share nearest to where the slider stood.
  const turn = (share) => {
    const { stops } = line();
    slider.max = stops.length - 1;
    $('stops').replaceChildren(...(stops.length > mostMarks ? [] : stops.map((stop) => {
      const place = document.createElement('span');
      place.textContent = `${+stop.share.toPrecision(3)} %`;
      return place;
    })));
    const apart = stops.map((stop) => Math.abs(stop.share - share));
    slider.value = apart.indexOf(Math.min(...apart));
    show();
  };

  let stood = explorer.lines[explorer.line].stops[explorer.stop].share;
  if (ranking) {
    ranking.value = explorer.line; // a browser may remember another
    ranking.addEventListener('change', () => turn(stood));
  }
  slider.addEventListener('input', () => {
    stood = line().stops[slider.value].share;
    show();
  });
  turn(stood);
})();
