"use strict";
// Draws the page from the numbers that it holds. Texts only ever become text
// nodes, and nothing is loaded.
(() => {
  const element = (id) => document.getElementById(id);
  const data = JSON.parse(element("data").textContent);
  const ALL = -1; // of layers or of heads: their mean
  const SHOWN_EFFECTS = 8;
  const SHOWN_TARGETS = 6;
  const READER_TOKENS = 640;

  // --- Small helpers -------------------------------------------------------

  function make(tag, properties = {}, ...children) {
    const made = document.createElement(tag);
    for (const [name, value] of Object.entries(properties)) {
      if (name === "class") made.className = value;
      else if (name.includes("-") || name === "role" || name === "scope") made.setAttribute(name, value);
      else made[name] = value;
    }
    made.append(...children);
    return made;
  }

  function drawing(tag, attributes, ...children) {
    const made = document.createElementNS("http://www.w3.org/2000/svg", tag);
    for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
    made.append(...children);
    return made;
  }

  const percent = (x) => (100 * x).toFixed(x >= 0.0995 && x < 0.99 ? 0 : 1) + " %";
  const signed = (x) => (x < 0 ? "\u2212" : "+") + Math.abs(x).toFixed(Math.abs(x) < 0.095 ? 3 : 2);
  const count = (n, thing) => `${n.toLocaleString("en")} ${thing}${n === 1 ? "" : "s"}`;
  const clamp = (x, low, high) => Math.min(high, Math.max(low, x));

  // What would be invisible, or turn the text around, is shown by its number.
  function visible(text) {
    return text
      .replace(/\r\n?/g, "\n")
      .replace(/[\u0000-\u0008\u000b-\u001f]/g, (c) => String.fromCharCode(0x2400 + c.charCodeAt(0)))
      .replace(/[\u007f-\u009f\u00ad\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]|[\u{e0000}-\u{e0fff}]/gu, (c) =>
        `\u27e8U+${c.codePointAt(0).toString(16).toUpperCase().padStart(4, "0")}\u27e9`)
      .replace(/\p{Surrogate}/gu, "\ufffd");
  }

  function shorten(text, most) {
    const line = text.trim().replace(/\s+/g, " ");
    const letters = Array.from(line.slice(0, 2 * most + 2));
    return letters.length > most ? letters.slice(0, most - 1).join("") + "\u2026" : line;
  }

  // --- The numbers -----------------------------------------------------------

  const KINDS = { uint8: Uint8Array, int8: Int8Array, uint16: Uint16Array, uint32: Uint32Array, float32: Float32Array };

  async function unpack() {
    const packed = Uint8Array.from(atob(data.bytes), (c) => c.charCodeAt(0));
    const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("deflate"));
    const buffer = await new Response(stream).arrayBuffer();
    const arrays = new Map();
    for (const [name, { type, shape, at }] of Object.entries(data.arrays)) {
      const size = shape.reduce((a, b) => a * b, 1);
      arrays.set(name, { values: new KINDS[type](buffer, at, size), shape });
    }
    return arrays;
  }

  let arrays;
  const array = (name) => arrays.get(name);
  const values = (name) => arrays.get(name).values;

  // A row of bytes as the numbers that they stand for.
  function numbers(name, row = 0) {
    const { values: bytes, shape } = array(name);
    const scale = values(`${name}.scale`);
    const size = bytes.length / scale.length;
    const factor = scale[row];
    return Float32Array.from(bytes.subarray(row * size, (row + 1) * size), (x) => x * factor);
  }

  const layers = data.windows.length;
  const heads = data.heads;

  function chosenPairs(layer, head) {
    const pairs = [];
    for (let l = 0; l < layers; l++) {
      if (layer !== ALL && layer !== l) continue;
      for (let h = 0; h < heads; h++) if (head === ALL || head === h) pairs.push([l, h]);
    }
    return pairs;
  }

  // The mean over the chosen heads of one of their rows.
  function meanOf(name, layer, head) {
    const pairs = chosenPairs(layer, head);
    let total = null;
    for (const [l, h] of pairs) {
      const row = numbers(`layer${l}.${name}`, h);
      if (total === null) total = new Float32Array(row.length);
      row.forEach((x, i) => { total[i] += x / pairs.length; });
    }
    return total;
  }

  // --- The tokens --------------------------------------------------------------

  let text = "";
  let tokens; // with the characters of each, in the text
  let isGlobal;

  function readTokens() {
    const units = values("text");
    for (let i = 0; i < units.length; i += 4096) text += String.fromCharCode(...units.subarray(i, i + 4096));
    const steps = values("tokenSteps");
    const lengths = values("tokenLengths");
    let start = 0;
    let shown = 0;
    tokens = Array.from(steps, (step, i) => {
      start += step;
      const outside = data.outside[i];
      if (outside !== undefined) return { start, end: start, from: Math.max(start, shown), outside };
      const end = start + lengths[i];
      // Several tokens may stand for one character.
      const from = Math.max(start, shown);
      shown = Math.max(shown, end);
      return { start, end, from };
    });
    isGlobal = new Set(values("globals"));
  }

  function wordOf(i) {
    const token = tokens[i];
    if (token.outside !== undefined) return visible(token.outside.trim() || "\u2423");
    const word = text.slice(token.start, token.end);
    return visible(word.trim() || word.replace(/\n/g, "\u23ce").replace(/[ \t]/g, "\u2423")) || "\u00b7";
  }

  // What stands between two words; lines that were broken for their length go on.
  function between(gap, place) {
    const line = place - text.lastIndexOf("\n", place - 1);
    if (/^[ \t]*\r?\n$/.test(gap) && line > 50) return " ";
    return visible(gap).replace(/\n{3,}/g, "\n\n");
  }

  // Puts tokens and what is between them into a box, and returns their elements.
  function fill(box, first, last, properties) {
    box.replaceChildren();
    const made = [];
    let place = tokens[first].from;
    for (let i = first; i < last; i++) {
      const token = tokens[i];
      if (token.outside !== undefined) {
        made.push(make("span", { class: "special", ...properties(i) }, wordOf(i)));
        box.append(made[made.length - 1], " ");
        continue;
      }
      const word = text.slice(token.from, token.end);
      const lead = word.length - word.trimStart().length;
      const gap = text.slice(place, token.from) + (lead < word.length ? word.slice(0, lead) : "");
      if (gap) box.append(between(gap, place));
      const shown = lead < word.length ? word.slice(lead) : word;
      made.push(make("span", properties(i), visible(shown) || "\u00b7"));
      // A token without characters of its own, such as a space before a word.
      if (!shown) made[made.length - 1].classList.add("faint");
      box.append(made[made.length - 1]);
      place = Math.max(place, token.end);
    }
    return made;
  }

  // --- The state -----------------------------------------------------------------

  const state = { layer: ALL, head: ALL, token: 0, global: ALL, method: "occlusion" };
  const passages = () => array("layer0.band").shape[1];
  const passageOf = (token) => Math.floor(token / data.passage);

  function nameOf(layer, head) {
    if (layer === ALL) return "all layers";
    return head === ALL ? `layer ${layer + 1}, all heads` : `layer ${layer + 1}, head ${head + 1}`;
  }

  // --- Colours -------------------------------------------------------------------

  const dark = matchMedia("(prefers-color-scheme: dark)");

  function applyTheme() {
    const wanted = document.querySelector("#theme input:checked").value;
    const isDark = wanted === "dark" || (wanted === "auto" && dark.matches);
    document.documentElement.toggleAttribute("data-dark", isDark);
  }

  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const channels = (name) => colour(name).split(",").map(Number);

  // --- What the prediction rests on ----------------------------------------------

  const prediction = data.prediction;
  const probability = (score) => 1 / (1 + Math.exp(-score));
  const inUnit = (score) => prediction.unit === "log-odds"
    ? percent(probability(score)) : `${score.toFixed(3)}${prediction.unit === "value" ? "" : ` (${prediction.unit})`}`;

  function textOfEffect(effect) {
    const [first, last] = effect.tokens;
    return text.slice(tokens[first].start, tokens[last - 1].end);
  }

  function strongest(name) {
    return prediction.effects.map((_, i) => i)
      .sort((a, b) => Math.abs(prediction.effects[b][name]) - Math.abs(prediction.effects[a][name]));
  }

  function most(name) {
    return prediction.effects.map((_, i) => i).sort((a, b) => prediction.effects[b][name] - prediction.effects[a][name])[0];
  }

  function effectCell(value, largest, label) {
    const cell = make("span", { class: "effect" });
    const bar = make("i", { class: value < 0 ? "against" : "" });
    const width = 25 * Math.abs(value) / largest;
    bar.style.left = `${value < 0 ? 26 - width : 26}%`;
    bar.style.width = `${width}%`;
    cell.append(bar, make("b", {}, label));
    return cell;
  }

  let wordsOfWhole = [];

  function drawPrediction() {
    if (!prediction) return;
    element("prediction").hidden = false;
    element("result-title").textContent = visible(prediction.title) + (prediction.title.endsWith("to") ? "" : ":");
    element("result-name").textContent = visible(prediction.name);
    element("result-score").textContent = inUnit(prediction.score);
    const best = prediction.candidates[0];
    for (const [name, score] of prediction.unit === "value" ? [] : prediction.candidates) {
      const fillIn = make("i");
      fillIn.style.width = `${100 * clamp(score, 0, 1)}%`;
      element("candidates").append(make("li", {},
        make("span", { class: "name", title: visible(name) }, visible(name) || "\u2423"),
        make("span", { class: "bar", "aria-hidden": "true" }, fillIn),
        make("span", { class: "number" }, percent(score))));
    }
    element("candidates").hidden = !best;
    const hasOcclusion = prediction.effects.some((e) => e.occlusion !== null);
    element("by-occlusion").hidden = !hasOcclusion;
    element("occlusion-head").textContent = hasOcclusion ? "Occlusion" : "";
    if (!hasOcclusion) {
      state.method = "gradient";
      document.querySelector("#method input[value=gradient]").checked = true;
    }
    if (prediction.effects.length) {
      const [one, other] = [most("occlusion"), most("gradient")];
      const quote = (i) => `\u201c${visible(shorten(textOfEffect(prediction.effects[i]), 60))}\u201d`;
      element("agreement").textContent = !hasOcclusion
        ? `Gradient times input names ${quote(other)} first.`
        : one === other ? `Both ways name the same sentence first: ${quote(one)}`
          : `The two ways disagree: occlusion names ${quote(one)} first, gradient times input ${quote(other)}. Trust neither alone.`;
    }
    drawWhole();
    drawEffects();
    element("method").addEventListener("change", (event) => {
      state.method = event.target.value;
      shadeWhole();
      drawEffects();
    });
  }

  function drawEffects() {
    const name = state.method === "occlusion" ? "occlusion" : "gradient";
    const largest = {};
    for (const one of ["occlusion", "gradient"]) {
      largest[one] = Math.max(1e-12, ...prediction.effects.map((e) => Math.abs(e[one] ?? 0)));
    }
    const rows = strongest(name).slice(0, SHOWN_EFFECTS).map((i) => {
      const effect = prediction.effects[i];
      const button = make("button", { type: "button" }, visible(shorten(textOfEffect(effect), 90)));
      button.addEventListener("click", () => showEffect(i));
      const occlusion = effect.occlusion === null ? ""
        : effectCell(effect.occlusion, largest.occlusion, signed(effect.occlusion));
      if (occlusion) occlusion.title = `Without it: ${inUnit(effect.without)}`;
      return make("tr", {}, make("td", {}, button), make("td", {}, occlusion),
        make("td", {}, effectCell(effect.gradient, largest.gradient, signed(effect.gradient))));
    });
    document.querySelector("#effects tbody").replaceChildren(...rows);
  }

  function showEffect(i) {
    const [first, last] = prediction.effects[i].tokens;
    const box = element("whole");
    for (const one of box.querySelectorAll(".shown")) one.classList.remove("shown");
    for (let t = first; t < last; t++) wordsOfWhole[t]?.classList.add("shown");
    const word = wordsOfWhole[first];
    if (word) box.scrollTop = word.offsetTop - box.clientHeight / 3;
    choose(first);
  }

  function drawWhole() {
    const span = prediction.span;
    const made = fill(element("whole"), 0, tokens.length, (i) => {
      const { start, end, outside } = tokens[i];
      const target = span && outside === undefined && start < span[1] && end > span[0];
      return { class: [target ? "target" : "", outside !== undefined ? "special" : ""].join(" ").trim() };
    });
    wordsOfWhole = made;
    shadeWhole();
  }

  function shadeWhole() {
    const strength = new Float32Array(tokens.length);
    if (state.method === "words") {
      values("gradient").forEach((x, i) => { strength[i] = x / 127; });
    } else {
      const all = prediction.effects.map((e) => e[state.method]);
      const largest = Math.max(1e-12, ...all.map(Math.abs));
      prediction.effects.forEach((effect, i) => strength.fill(all[i] / largest, ...effect.tokens));
    }
    wordsOfWhole.forEach((word, i) => shade(word, strength[i], state.method === "words" ? 0.7 : 1));
  }

  function shade(word, strength, power = 0.6) {
    const amount = Math.abs(strength) ** power * 0.62;
    const name = strength < 0 ? "--against-rgb" : "--accent-rgb";
    word.style.backgroundColor = amount < 0.015 ? "" : `rgba(var(${name}), ${amount.toFixed(3)})`;
  }

  // --- Layers and heads ------------------------------------------------------------

  function glyph(offsets, share) {
    const bins = offsets.length;
    const largest = Math.max(...offsets, share, 1e-9);
    let path = "";
    offsets.forEach((x, i) => {
      const height = 20 * (x / largest) ** 0.8;
      if (height > 0.3) path += `M${i + 0.1} 22v${-height.toFixed(2)}h.8v${height.toFixed(2)}z`;
    });
    const svg = drawing("svg", { viewBox: `-3 0 ${bins + 4} 22`, preserveAspectRatio: "none", "aria-hidden": "true" },
      drawing("path", { d: path }));
    if (share > 0.005) {
      const height = (20 * (share / largest) ** 0.8).toFixed(2);
      svg.append(drawing("path", { class: "share", d: `M-2.4 22v${-height}h1.3v${height}z` }));
    }
    return svg;
  }

  const headButtons = new Map();

  function drawHeads() {
    const box = element("heads");
    box.style.gridTemplateColumns = `4.2em repeat(${heads + 1}, minmax(22px, 1fr))`;
    const add = (layer, head) => {
      const offsets = meanOf("offsets", layer, head);
      const toGlobals = meanOf("to_globals", layer, head);
      const share = toGlobals.reduce((a, b) => a + b, 0) / toGlobals.length;
      const label = `${nameOf(layer, head)}: ${percent(share)} to the global tokens`;
      const button = make("button", {
        type: "button", role: "radio", "aria-checked": "false", "aria-label": label, title: label,
        class: head === ALL ? "all" : "", tabIndex: -1,
      }, glyph(offsets, share));
      button.addEventListener("click", () => chooseHead(layer, head));
      headButtons.set(`${layer},${head}`, button);
      return button;
    };
    box.append(make("span", { class: "name" }, "all"), add(ALL, ALL));
    const rest = make("span", { class: "hint" });
    rest.style.gridColumn = `3 / -1`;
    box.append(rest);
    for (let l = 0; l < layers; l++) {
      box.append(make("span", { class: "name" }, `layer ${l + 1}`), add(l, ALL));
      for (let h = 0; h < heads; h++) box.append(add(l, h));
    }
    box.addEventListener("keydown", (event) => {
      let { layer, head } = state;
      const moves = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };
      if (event.key === "Home") [layer, head] = [ALL, ALL];
      else if (event.key === "End") [layer, head] = [layers - 1, heads - 1];
      else if (event.key in moves) {
        layer = clamp(layer + moves[event.key][0], ALL, layers - 1);
        head = layer === ALL ? ALL : clamp(head + moves[event.key][1], ALL, heads - 1);
      } else return;
      event.preventDefault();
      chooseHead(layer, head);
      headButtons.get(`${layer},${head}`).focus();
    });
  }

  function chooseHead(layer, head) {
    const before = headButtons.get(`${state.layer},${state.head}`);
    before.setAttribute("aria-checked", "false");
    before.tabIndex = -1;
    Object.assign(state, { layer, head });
    const now = headButtons.get(`${layer},${head}`);
    now.setAttribute("aria-checked", "true");
    now.tabIndex = 0;
    drawMap();
    drawReader();
    drawGlobals();
  }

  // --- The map of the document -------------------------------------------------------

  const CELL = 6;
  let mapNumbers;

  // Width of the stripe of the global tokens, with the gap behind it.
  const stripe = () => (isGlobal.size ? Math.max(3, Math.round(passages() / 24)) : 0);

  function mapOf(layer, head) {
    const size = passages();
    const band = new Float32Array(size * size);
    const pairs = chosenPairs(layer, head);
    for (const [l, h] of pairs) {
      const width = array(`layer${l}.band`).shape[2];
      const reach = (width - 1) / 2;
      const row = numbers(`layer${l}.band`, h);
      for (let p = 0; p < size; p++) {
        for (let d = -reach; d <= reach; d++) {
          const q = p + d;
          if (q >= 0 && q < size) band[p * size + q] += row[p * width + d + reach] / pairs.length;
        }
      }
    }
    return {
      band,
      toGlobals: isGlobal.size ? meanOf("to_globals", layer, head) : null,
      fromGlobals: isGlobal.size ? meanOf("from_globals", layer, head) : null,
    };
  }

  function drawMap(fresh = true) {
    const size = passages();
    if (fresh) mapNumbers = mapOf(state.layer, state.head);
    const { band, toGlobals, fromGlobals } = mapNumbers;
    const edge = stripe() + (stripe() ? 1 : 0);
    const canvas = element("map");
    canvas.width = canvas.height = (size + edge) * CELL;
    const context = canvas.getContext("2d");
    const low = channels("--map-low");
    const high = channels("--map-high");
    const warm = channels("--against-rgb");
    const paint = (x, y, width, height, amount, to) => {
      if (amount <= 0.003) return;
      const part = Math.min(1, amount) ** 0.5;
      context.fillStyle = `rgb(${low.map((c, i) => Math.round(c + (to[i] - c) * part)).join(",")})`;
      context.fillRect(x * CELL, y * CELL, width * CELL, height * CELL);
    };
    context.fillStyle = `rgb(${low.join(",")})`;
    context.fillRect(0, 0, canvas.width, canvas.height);
    const largest = Math.max(0.05, band.reduce((a, b) => Math.max(a, b), 0));
    for (let p = 0; p < size; p++) {
      for (let q = 0; q < size; q++) paint(q + edge, p + edge, 1, 1, band[p * size + q] / largest, high);
    }
    if (edge) {
      const tall = Math.max(...fromGlobals);
      for (let p = 0; p < size; p++) {
        paint(0, p + edge, stripe(), 1, toGlobals[p], warm);
        paint(p + edge, 0, 1, stripe(), fromGlobals[p] / tall, warm);
      }
    }
    const passage = passageOf(state.token);
    context.strokeStyle = colour("--ink");
    context.lineWidth = 2;
    context.strokeRect(edge * CELL + 1, (passage + edge) * CELL - 2, size * CELL - 2, CELL + 4);
    canvas.setAttribute("aria-valuemax", size);
    canvas.setAttribute("aria-valuenow", passage + 1);
    canvas.setAttribute("aria-valuetext", describePassage(passage));
    element("map-note").textContent = describePassage(passage);
  }

  function describePassage(passage) {
    const first = passage * data.passage;
    const last = Math.min(tokens.length, first + data.passage) - 1;
    const words = shorten(text.slice(tokens[first].start, tokens[last].end), 70);
    const share = mapNumbers.toGlobals ? `, ${percent(mapNumbers.toGlobals[passage])} to the global tokens` : "";
    const where = first === last ? `Token ${first + 1}` : `Tokens ${first + 1}\u2013${last + 1}`;
    return `${where} of ${tokens.length} (${nameOf(state.layer, state.head)}${share}): \u201c${visible(words)}\u201d`;
  }

  function mapEvents() {
    const canvas = element("map");
    canvas.addEventListener("click", (event) => {
      const edge = stripe() + (stripe() ? 1 : 0);
      const box = canvas.getBoundingClientRect();
      const row = Math.floor((event.clientY - box.top) / box.height * (passages() + edge)) - edge;
      choose(clamp(row, 0, passages() - 1) * data.passage);
    });
    canvas.addEventListener("keydown", (event) => {
      const last = passages() - 1;
      const now = passageOf(state.token);
      const to = {
        ArrowUp: now - 1, ArrowLeft: now - 1, ArrowDown: now + 1, ArrowRight: now + 1,
        PageUp: now - 10, PageDown: now + 10, Home: 0, End: last,
      }[event.key];
      if (to === undefined) return;
      event.preventDefault();
      choose(clamp(to, 0, last) * data.passage);
    });
    element("map-globals").textContent = isGlobal.size
      ? "; the stripe on the left is what goes to the global tokens, the one on top what they look at" : "";
  }

  // --- Words, and what each looks at ----------------------------------------------------

  // The places of each token's links among those of its head.
  const beginnings = new Map();

  function beginningsOf(layer) {
    if (!beginnings.has(layer)) {
      const counts = values(`layer${layer}.links.counts`);
      const sums = new Uint32Array(counts.length + 1);
      counts.forEach((n, i) => { sums[i + 1] = sums[i] + n; });
      beginnings.set(layer, sums);
    }
    return beginnings.get(layer);
  }

  function targetOf(layer, token, column) {
    const globals = values("globals");
    if (column < globals.length) return globals[column];
    return token + column - globals.length - data.windows[layer] / 2;
  }

  // Pairs of a token and its share, the largest first.
  function linksOf(token) {
    const { layer, head } = state;
    const found = new Map();
    const note = (l, columns, weights, levels, from, to, divisor) => {
      for (let i = from; i < to; i++) {
        if (!weights[i]) continue;
        const target = targetOf(l, token, columns[i]);
        found.set(target, (found.get(target) ?? 0) + weights[i] / levels / divisor);
      }
    };
    if (isGlobal.has(token)) {
      const row = values("globals").indexOf(token);
      return globalKeys(layer, head === ALL && row < globalRows() ? row : ALL);
    }
    if (layer !== ALL && head !== ALL) {
      const name = `layer${layer}.links.`;
      const place = head * tokens.length + token;
      const sums = beginningsOf(layer);
      note(layer, values(`${name}columns`), values(`${name}weights`), data.linkLevels, sums[place], sums[place + 1], 1);
    } else {
      const several = layer === ALL ? data.windows.map((_, l) => l) : [layer];
      for (const l of several) {
        const name = `layer${l}.links.`;
        for (let rank = 0; rank < data.meanLinks; rank++) {
          const place = rank * tokens.length + token;
          note(l, values(`${name}mean_columns`), values(`${name}mean_weights`), 255, place, place + 1, several.length);
        }
      }
    }
    return [...found].sort((a, b) => b[1] - a[1]);
  }

  // Where a head's links are too weak to be in the page: what the token's
  // passage gives to each passage, the largest first.
  function passageLinks(token) {
    const size = passages();
    const here = passageOf(token);
    return Array.from(mapNumbers.band.subarray(here * size, (here + 1) * size), (share, passage) => [passage, share])
      .filter(([, share]) => share > 0.005).sort((a, b) => b[1] - a[1]);
  }

  let readerWords = [];
  let readerFirst = 0;

  function readerRange() {
    const widest = Math.max(...(state.layer === ALL ? data.windows : [data.windows[state.layer]]));
    const passage = passageOf(state.token);
    const around = clamp(widest / 2 + data.passage, READER_TOKENS / 8, READER_TOKENS / 2);
    const first = Math.max(0, passage * data.passage - around);
    const last = Math.min(tokens.length, (passage + 1) * data.passage + around);
    return [Math.floor(first), Math.ceil(last)];
  }

  function drawReader() {
    const [first, last] = readerRange();
    const radius = data.windows[Math.max(0, state.layer)] / 2;
    if (readerFirst !== first || readerWords.length !== last - first) {
      readerFirst = first;
      readerWords = fill(element("reader"), first, last, (i) => ({
        role: "option", "aria-selected": "false", id: `token-${i}`,
        class: [isGlobal.has(i) ? "is-global" : "", tokens[i].outside !== undefined ? "special" : ""].join(" ").trim(),
      }));
    }
    const reader = element("reader");
    const found = linksOf(state.token);
    const byPassage = found.length ? [] : passageLinks(state.token);
    const strengths = new Map(found);
    for (const [passage, share] of byPassage) {
      const begin = passage * data.passage;
      for (let i = begin; i < begin + data.passage; i++) strengths.set(i, share / data.passage);
    }
    const largest = found.length ? found[0][1] : Math.max(...strengths.values(), 1e-9);
    readerWords.forEach((word, k) => {
      const i = readerFirst + k;
      shade(word, (strengths.get(i) ?? 0) / largest * Math.min(1, 0.35 + largest));
      word.setAttribute("aria-selected", String(i === state.token));
      const outside = state.layer !== ALL && Math.abs(i - state.token) > radius && !isGlobal.has(i);
      word.classList.toggle("context", outside && !isGlobal.has(state.token));
    });
    reader.setAttribute("aria-activedescendant", `token-${state.token}`);
    const word = readerWords[state.token - readerFirst];
    if (word) {
      const top = word.offsetTop;
      if (top < reader.scrollTop + 20 || top > reader.scrollTop + reader.clientHeight - 50) {
        reader.scrollTop = top - reader.clientHeight / 2;
      }
    }
    drawLinks(found, byPassage);
  }

  function distance(from, to) {
    if (from === to) return "itself";
    if (isGlobal.has(to)) return `global, token ${to + 1}`;
    return `${count(Math.abs(to - from), "token")} ${to < from ? "before" : "after"}`;
  }

  function targetItem([token, share], largest, far) {
    const bar = make("i");
    bar.style.width = `${100 * share / largest}%`;
    return make("li", {},
      make("span", { class: `quote${isGlobal.has(token) ? " is-global" : ""}` }, wordOf(token)),
      make("span", { class: "bar", "aria-hidden": "true" }, bar),
      make("span", { class: "number" }, percent(share)),
      make("span", { class: "far" }, far));
  }

  function drawLinks(found, byPassage) {
    const { token, layer, head } = state;
    const shown = found.slice(0, SHOWN_TARGETS);
    const whose = shown.length ? "looks at:" : "looks at nothing in particular. Its passage as a whole:";
    const intro = make("p", {}, make("strong", {}, wordOf(token)), ` (token ${token + 1}), in ${nameOf(layer, head)}, ${whose}`);
    const parts = [intro];
    if (shown.length) {
      parts.push(make("ol", { class: "targets" }, ...shown.map((one) => targetItem(one, shown[0][1], distance(token, one[0])))));
    }
    if (!shown.length) {
      const several = byPassage.slice(0, SHOWN_TARGETS - 1);
      parts.push(make("ol", { class: "targets" }, ...several.map(([passage, share]) => {
        const first = passage * data.passage;
        const last = Math.min(tokens.length, first + data.passage);
        const item = targetItem([first, share], several[0][1], `tokens ${first + 1}\u2013${last}`);
        item.firstChild.textContent = visible(shorten(text.slice(tokens[first].start, tokens[last - 1].end), 30));
        return item;
      })));
    }
    const notes = [];
    if (isGlobal.has(token)) notes.push("It is global, and looks at the whole document.");
    else if (isGlobal.size && head === ALL) {
      const several = layer === ALL ? data.windows.map((_, l) => l) : [layer];
      const name = (l) => `layer${l}.mean_to_globals`;
      const share = several.reduce((sum, l) => sum + values(name(l))[token] * values(`${name(l)}.scale`)[0], 0) / several.length;
      notes.push(`In all ${percent(share)} goes to the global tokens.`);
    }
    if (!shown.length && layer !== ALL && head !== ALL) {
      notes.push(`Links of this layer's heads are in the page from ${percent(data.thresholds[layer])} on.`);
    }
    if (notes.length) parts.push(make("p", { class: "hint" }, notes.join(" ")));
    element("links").replaceChildren(...parts);
  }

  function choose(token) {
    state.token = clamp(token, 0, tokens.length - 1);
    drawMap(false);
    drawReader();
  }

  function readerEvents() {
    const reader = element("reader");
    reader.addEventListener("click", (event) => {
      const id = event.target.id;
      if (id.startsWith("token-")) choose(Number(id.slice(6)));
    });
    reader.addEventListener("keydown", (event) => {
      const to = {
        ArrowLeft: state.token - 1, ArrowUp: state.token - 1, ArrowRight: state.token + 1, ArrowDown: state.token + 1,
        PageUp: state.token - data.passage, PageDown: state.token + data.passage, Home: 0, End: tokens.length - 1,
      }[event.key];
      if (to === undefined || event.ctrlKey || event.metaKey || event.altKey) return;
      event.preventDefault();
      choose(to);
    });
  }

  // --- Global tokens -----------------------------------------------------------------------

  const globalRows = () => (isGlobal.size ? array("layer0.each_global").shape[0] : 0);

  // What a global token (or all in the mean) gives to its strongest keys.
  function globalKeys(layer, row) {
    const found = new Map();
    const single = row !== ALL;
    const sources = single
      ? chosenPairs(layer, 0).map(([l]) => [l, row])
      : chosenPairs(layer, state.head);
    const name = single ? "each_global_key" : "global_key";
    for (const [l, r] of sources) {
      const weights = numbers(`layer${l}.${name}_weights`, r);
      const keys = values(`layer${l}.${name}s`).subarray(r * weights.length, (r + 1) * weights.length);
      weights.forEach((weight, i) => {
        if (weight > 0) found.set(keys[i], (found.get(keys[i]) ?? 0) + weight / sources.length);
      });
    }
    return [...found].sort((a, b) => b[1] - a[1]);
  }

  function drawGlobals() {
    if (!isGlobal.size) return;
    const { layer, head, global } = state;
    let profile;
    if (global === ALL) profile = meanOf("from_globals", layer, head);
    else {
      const pairs = chosenPairs(layer, 0);
      profile = new Float32Array(passages());
      for (const [l] of pairs) numbers(`layer${l}.each_global`, global).forEach((x, i) => { profile[i] += x / pairs.length; });
    }
    const tall = Math.max(...profile, 1e-9);
    let path = "";
    profile.forEach((x, i) => { path += `M${i + 0.08} 40v${(-38 * x / tall).toFixed(2)}h.84v${(38 * x / tall).toFixed(2)}z`; });
    const box = element("profile");
    box.replaceChildren(drawing("svg", { viewBox: `0 0 ${profile.length} 40`, preserveAspectRatio: "none", "aria-hidden": "true" },
      drawing("path", { d: path })));
    const peak = profile.indexOf(tall);
    box.setAttribute("aria-label", `From the beginning of the document to its end; most, ${percent(tall)}, goes to tokens ${peak * data.passage + 1} and after.`);
    const keys = globalKeys(layer, global).slice(0, 8);
    element("global-keys").replaceChildren(...keys.map((one) => targetItem(one, keys[0][1], `token ${one[0] + 1}`)));
  }

  function globalEvents() {
    if (!isGlobal.size) return;
    element("globals").hidden = false;
    const select = element("which-global");
    const rows = globalRows();
    const all = rows === 1 ? wordOf(values("globals")[0]) : `all ${isGlobal.size}, mean`;
    select.append(make("option", { value: String(ALL) }, all));
    for (let row = 0; rows > 1 && row < rows; row++) {
      select.append(make("option", { value: String(row) }, `${wordOf(values("globals")[row])} (mean of heads)`));
    }
    select.addEventListener("change", () => {
      state.global = Number(select.value);
      drawGlobals();
    });
  }

  // --- The model ------------------------------------------------------------------------------

  function drawPattern() {
    const n = tokens.length;
    const g = isGlobal.size;
    const pairs = data.windows.map((w) => {
      let local = 0;
      for (let i = 0; i < n; i++) local += Math.min(n, i + w / 2 + 1) - Math.max(0, i - w / 2);
      return Math.min(n * n, local * ((n - g) / n) ** 2 + (n - g) * g + g * n);
    });
    const mean = pairs.reduce((a, b) => a + b, 0) / layers;
    const reach = data.windows.reduce((a, w) => a + w / 2, 0);
    const same = data.windows.every((w) => w === data.windows[0]);
    const words = [
      `${data.head}: ${count(layers, "layer")} of ${count(heads, "head")}. `
        + (same ? `In each, a token sees itself and up to ${count(data.windows[0] / 2, "token")} on either side`
          : "How far a token sees on either side differs between layers")
        + (g ? ", and every global token." : "."),
      g ? `${data.whyGlobal} Global tokens see all others through projections of their own, and all others see them.` : data.whyGlobal,
      `For this document about ${Math.round(mean).toLocaleString("en")} pairs of tokens are compared in each head and layer; full attention would compare ${(n * n).toLocaleString("en")} (${percent(mean / (n * n))}).`,
      `Layer after layer a window sees what its neighbours have seen: after the last one up to ${count(reach, "token")} on either side.`
        + (g ? " By way of a global token news comes from anywhere in two layers." : ""),
    ];
    element("pattern-words").append(...words.map((text) => make("p", {}, visible(text))));
    if (g) {
      const list = values("globals");
      const named = Array.from(list.slice(0, 40), wordOf).join("  ");
      element("pattern-words").append(make("p", { class: "hint" }, `${count(g, "global token")}: ${named}${g > 40 ? " \u2026" : ""}`));
    }
    element("pattern-layers").append(drawScheme());
    if (same) return;
    const widest = Math.max(...data.windows);
    element("pattern-layers").append(make("ul", { class: "bars", "aria-label": "Windows by layer" }, ...data.windows.map((w, l) => {
      const bar = make("i");
      bar.style.width = `${100 * w / widest}%`;
      return make("li", {}, make("span", { class: "name" }, `layer ${l + 1}`), make("span", { class: "bar", "aria-hidden": "true" }, bar),
        make("span", { class: "number" }, count(w, "token")));
    })));
  }

  // The band, and the rows and columns of global tokens, to scale.
  function drawScheme() {
    const n = tokens.length;
    const r = Math.max(n / 200, Math.min(n, Math.max(...data.windows) / 2));
    const thin = n / 160;
    const band = `M0 0H${r}L${n} ${n - r}V${n}H${n - r}L0 ${r}z`;
    let lines = "";
    for (const i of Array.from(values("globals")).slice(0, 500)) {
      const place = Math.min(i, n - thin);
      lines += `M0 ${place}h${n}v${thin}h${-n}zM${place} 0h${thin}v${n}h${-thin}z`;
    }
    return drawing("svg", {
      viewBox: `0 0 ${n} ${n}`, role: "img", class: "scheme",
      "aria-label": `A square of ${n} by ${n} tokens. A band along the diagonal is compared, and the rows and columns of ${count(isGlobal.size, "global token")}.`,
    }, drawing("path", { class: "band", d: band }), drawing("path", { class: "share", d: lines }));
  }

  function drawReading() {
    const percentages = data.thresholds.map(percent);
    const lines = [
      `Attention is not an explanation by itself: it says what a layer's heads read from, not what they make of it. The map has the means over passages of ${count(data.passage, "token")}; each row is what an average token of a passage gives to others, in all 100 %.`,
      `Of the links between words the page holds the strongest ones: of each layer's mean ${data.meanLinks} for each token, of single heads those of at least ${percentages.join(", ")} (layer by layer), as many as fit into the page's size. Shares are rounded, those of single heads to a 63rd.`,
    ];
    if (isGlobal.size) lines.push(`Of global tokens the ${Math.min(globalRows(), isGlobal.size)} first can be looked at one by one, each as the mean of a layer's heads; of single heads there is the mean of all global tokens.`);
    if (prediction) {
      lines.push(
        `What is explained is ${prediction.unit === "log-odds" ? "the logarithm of the odds, p / (1 \u2212 p)," : `the ${prediction.unit}`} of ${visible(prediction.title)} ${visible(prediction.name)}. Occlusion is how far it falls when no token attends to a sentence; tokens that the prediction is read at, and special ones, stay. Gradient times input is the slope of the number at the first layer's input, times that input less its mean over the document: what the sentence would contribute if the model were linear.`,
        `There are ${count(prediction.effects.length, "sentence")} here; long ones are cut, and where a document has too many neighbours are taken together.`);
    } else {
      lines.push("This model predicts nothing about the document by itself, so that attention alone is shown. With a question the page shows which sentences make the document alike to it.");
    }
    element("reading").append(...lines.map((text) => make("p", {}, text)));
  }

  function drawFacts() {
    const title = visible(data.title) || "A document";
    document.title = `${shorten(title, 60)} \u2013 where ${shorten(visible(data.model), 40)} looks`;
    element("title").textContent = title;
    const shown = data.documentTokens < data.totalTokens
      ? `tokens ${(data.firstToken + 1).toLocaleString("en")}\u2013${(data.firstToken + data.documentTokens).toLocaleString("en")} of ${data.totalTokens.toLocaleString("en")}: the model takes no more at once`
      : count(tokens.length, "token");
    element("facts").textContent = `${visible(data.model)} \u00b7 ${shown} \u00b7 ${count(layers, "layer")} \u00d7 ${count(heads, "head")} \u00b7 tf_longformer ${data.version}`;
  }

  function redraw() {
    applyTheme();
    if (mapNumbers) drawMap(false);
  }

  async function start() {
    applyTheme();
    element("theme").addEventListener("change", redraw);
    dark.addEventListener("change", redraw);
    arrays = await unpack();
    readTokens();
    element("main").hidden = false;
    drawFacts();
    const first = prediction?.span
      ? tokens.findIndex((t) => t.outside === undefined && t.end > prediction.span[0]) : tokens.findIndex((t) => t.outside === undefined);
    state.token = Math.max(0, first);
    drawHeads();
    mapEvents();
    readerEvents();
    globalEvents();
    chooseHead(ALL, ALL);
    drawPrediction();
    drawPattern();
    drawReading();
    document.documentElement.setAttribute("data-ready", "");
  }

  start().catch((error) => {
    element("failure").hidden = false;
    element("failure").textContent = `This page can't be drawn: ${error.message}. A browser of 2023 or later is needed.`;
    throw error;
  });
})();
