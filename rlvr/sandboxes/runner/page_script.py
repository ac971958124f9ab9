"""The script that reads a page as text and acts on its elements. It runs in a world that the page's scripts can't reach."""

SCRIPT = r"""
globalThis.rlvr ??= (() => {
  let elements = [];
  const CUT = 300, MOST_TEXT = 200000, MOST_ELEMENTS = 2000;
  const TYPED = ["text", "search", "email", "url", "tel", "password", "number", ""];
  const plain = text => (text || "").replace(/\s+/g, " ").trim();
  const quoted = text => { text = plain(text); return '"' + (text.length > CUT ? text.slice(0, CUT) + "…" : text) + '"'; };
  const role = el => {
    const tag = el.tagName, type = (el.getAttribute("type") || "").toLowerCase();
    if (tag === "A") return "link";
    if (tag === "BUTTON" || tag === "SUMMARY") return "button";
    if (tag === "SELECT") return "select";
    if (tag === "TEXTAREA") return "textbox";
    if (["submit", "button", "reset", "image"].includes(type)) return "button";
    if (type === "checkbox" || type === "radio") return type;
    if (["date", "time", "number", "file", "color", "range", "month", "week", "datetime-local"].includes(type)) return type;
    return "textbox";
  };
  const acts = el => el.matches("a[href],button,summary,select,textarea,input:not([type=hidden])");
  const name = el => {
    const labels = el.labels && el.labels.length ? [...el.labels].map(words).join(" ") : "";
    const own = ["A", "BUTTON", "SUMMARY"].includes(el.tagName) ? el.innerText : role(el) === "button" ? el.value : "";
    return el.getAttribute("aria-label") || labels || own || el.getAttribute("placeholder") || el.title || el.name || "";
  };
  const words = node => {
    if (node.nodeType === 3) return node.data;
    if (node.nodeType !== 1 || acts(node)) return "";
    return [...node.childNodes].map(words).join(" ");
  };
  const line = (el, n) => {
    const kind = role(el);
    let text = "[" + n + "] " + kind + " " + quoted(name(el));
    if (kind === "select") {
      const options = [...el.options];
      text += " = " + quoted(options.filter(o => o.selected).map(o => o.label).join(", "));
      text += " of " + options.slice(0, 60).map(o => quoted(o.label)).join(", ") + (options.length > 60 ? ", …" : "");
    } else if (kind === "checkbox" || kind === "radio") {
      text += el.checked ? " (chosen)" : "";
    } else if (kind !== "link" && kind !== "button") {
      text += " = " + quoted(el.type === "password" ? "•".repeat(el.value.length) : el.value);
    }
    return text + (el.disabled ? " (disabled)" : "") + (el.readOnly ? " (read-only)" : "");
  };
  const page = () => {
    elements = [];
    const out = [];
    let length = 0;
    const put = text => { if (length < MOST_TEXT) { out.push(text); length += text.length; } };
    const walk = (node, labelled) => {
      if (node.nodeType === 3) { if (!labelled) put(node.data.replace(/\s+/g, " ")); return; }
      if (node.nodeType !== 1 || ["SCRIPT", "STYLE", "NOSCRIPT", "TEMPLATE", "HEAD"].includes(node.tagName)) return;
      if (!node.checkVisibility({visibilityProperty: true})) return;
      if (acts(node)) {
        if (elements.length >= MOST_ELEMENTS) return;
        elements.push(node);
        put(" " + line(node, elements.length) + " ");
        return;
      }
      const tag = node.tagName, display = getComputedStyle(node).display;
      if (tag === "BR") { put("\n"); return; }
      const cell = display === "table-cell", block = !cell && display !== "inline" && display !== "inline-block";
      if (block) put("\n");
      if (/^H[1-6]$/.test(tag)) put("#".repeat(+tag[1]) + " ");
      if (tag === "LI") put("- ");
      if (cell && node.previousElementSibling) put(" | ");
      const within = labelled || (tag === "LABEL" && !!node.control);
      for (const child of node.childNodes) walk(child, within);
      if (block) put("\n");
    };
    if (document.body) walk(document.body, false);
    const text = out.join("").split("\n").map(plain).filter(t => t && t !== "|").join("\n");
    return {title: plain(document.title).slice(0, CUT), path: location.pathname + location.search, text};
  };
  const element = n => {
    const el = elements[n - 1];
    if (!el) throw {refused: elements.length ? "there's no element " + n + "; the page has 1 to " + elements.length : "the page has no elements"};
    if (!el.isConnected) throw {refused: "element " + n + " is gone from the page; read it again"};
    if (el.disabled) throw {refused: "element " + n + " is disabled"};
    return el;
  };
  const guarded = call => (...given) => {
    try { return call(...given); } catch (error) { if (error && error.refused) return error; throw error; }
  };
  const changed = el => {
    el.dispatchEvent(new Event("input", {bubbles: true}));
    el.dispatchEvent(new Event("change", {bubbles: true}));
  };
  const click = n => {
    const el = element(n);
    if (el.tagName === "A") {
      let url = null;
      try { url = new URL(el.href); } catch { }
      if (!url || url.origin !== location.origin || url.protocol !== location.protocol) throw {refused: "that link leads out of this site"};
    }
    if (el.type === "file") throw {refused: "files can't be chosen"};
    if (el.tagName === "SELECT") throw {refused: "element " + n + " is a select: use select"};
    const form = el.form;
    if (form && new URL(form.getAttribute("action") || "", location.href).origin !== location.origin) throw {refused: "that form leads out of this site"};
    for (const it of [el, form]) if (it && it.hasAttribute("target")) it.removeAttribute("target");
    el.focus();
    el.click();
    return ["checkbox", "radio"].includes(role(el)) ? {line: line(el, n)} : {};
  };
  const select = (n, option) => {
    const el = element(n);
    if (el.tagName !== "SELECT") throw {refused: "element " + n + " is a " + role(el) + ", not a select"};
    const options = [...el.options];
    const match = options.find(o => plain(o.label) === plain(option)) || options.find(o => o.value === option);
    if (!match) throw {refused: "it has no option " + quoted(option) + "; it has: " + options.slice(0, 60).map(o => quoted(o.label)).join(", ")};
    if (match.disabled) throw {refused: "that option is disabled"};
    el.focus();
    el.value = match.value;
    match.selected = true;
    changed(el);
    return line(el, n);
  };
  const fill = (n, text) => {
    const el = element(n), kind = role(el);
    if (["link", "button", "select", "checkbox", "radio", "file"].includes(kind)) throw {refused: "element " + n + " is a " + kind + ": nothing can be typed there"};
    if (el.readOnly) throw {refused: "element " + n + " is read-only"};
    el.focus();
    if (el.tagName === "TEXTAREA" || (TYPED.includes((el.getAttribute("type") || "").toLowerCase()) && text)) {
      el.select();
      if (text) return {insert: true};
    }
    const before = el.value;
    el.value = text;
    if (text && !el.value) el.value = before;
    if (text && el.value === before && before !== text) throw {refused: "a " + kind + " is not written like " + quoted(text) + (kind === "date" ? "; write it like 2026-03-09" : "")};
    changed(el);
    return {insert: false};
  };
  const filled = n => {
    const el = element(n);
    el.dispatchEvent(new Event("change", {bubbles: true}));
    return line(el, n);
  };
  return {page, click: guarded(click), select: guarded(select), fill: guarded(fill), filled: guarded(filled)};
})()
"""
