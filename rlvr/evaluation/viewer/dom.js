// Making elements. Text is only ever set as text: nothing in these files parses HTML, so whatever a
// model wrote stays characters.

/** An element of `tag` ("div.quiet") with properties and children (nodes or plain text). */
function el(tag, properties = {}, ...children) {
  const [name, ...classes] = tag.split(".");
  const node = document.createElement(name);
  if (classes.length) node.className = classes.join(" ");
  for (const [key, value] of Object.entries(properties)) {
    if (key in node) node[key] = value;
    else node.setAttribute(key, value);
  }
  node.append(...children.filter((child) => child !== null && child !== undefined));
  return node;
}

const byId = (id) => document.getElementById(id);

// What can't be seen or turns the line around: controls, bidi marks, line separators, lone surrogates.
const HIDDEN =
  "[\\u0000-\\u0008\\u000b-\\u001f\\u007f-\\u009f\\u00ad\\u061c\\u200b\\u200e\\u200f\\u2028-\\u202e" +
  "\\u2060-\\u206f\\ufeff\\u{d800}-\\u{dfff}\\u{e0000}-\\u{e007f}]";

/** `text` as nodes: hidden characters spelled out (U+202E), what's searched for marked. */
function shown(text, query = "") {
  const wanted = query ? query.replace(/[.*+?^${}()|[\]\\/]/g, "\\$&") : "(?!)";
  const special = new RegExp(`(${wanted})|(${HIDDEN})`, "giu");
  const nodes = document.createDocumentFragment();
  let at = 0;
  for (const match of text.matchAll(special)) {
    if (match.index > at) nodes.append(text.slice(at, match.index));
    if (match[1]) nodes.append(el("mark", {}, match[1]));
    else nodes.append(el("span.hidden-character", {}, codePoint(match[2])));
    at = match.index + match[0].length;
  }
  nodes.append(text.slice(at));
  return nodes;
}

function codePoint(character) {
  return "U+" + character.codePointAt(0).toString(16).toUpperCase().padStart(4, "0");
}

/** A few words in a cell: as above, on a line of its own direction. */
const inline = (text) => el("bdi", {}, shown(text));

const count = (number) => number.toLocaleString("en-US");

/** 0.73424 as "0.7342", 12345.6 as "12,346", nothing as a dash. */
function figure(number) {
  if (number === null || number === undefined) return "–";
  const size = Math.abs(number);
  if (size >= 1000) return count(Math.round(number));
  return size !== 0 && size < 0.001 ? number.toExponential(1) : String(+number.toFixed(4));
}

const percent = (share) => (share === null || share === undefined ? "–" : +(100 * share).toFixed(2) + "%");

/** A figure with its interval: "73.4%" and, quieter, "71.2% to 75.6%". */
function interval({ value, low, high }, show = figure, note = "", more = "") {
  const range = low === null || low === undefined ? "" : `${show(low)} to ${show(high)}`;
  const small = [range, note].filter(Boolean).join(", ");
  const lines = [small, more].filter(Boolean).map((text) => el("small", {}, text));
  return el("span.figure", {}, show(value), ...lines);
}

/** A status as a coloured dot and its word; the word alone tells it. */
function badge(status, cause = "") {
  const known = ["correct", "partial", "incorrect", "unparsable", "limit", "unscored"];
  const kind = known.includes(status) ? status : "other";
  return el("span.badge." + kind, {}, shown(cause ? `${status}: ${cause}` : status));
}
