"""The style and the script of a report page."""

from __future__ import annotations

from typing import Final

from qtw_lab.plots.theme import FONTS, THEMES

_STYLE: Final = """
*{box-sizing:border-box}
body{margin:0;background:var(--paper);color:var(--ink);font:16px/1.55 var(--fonts);-webkit-text-size-adjust:100%}
main{max-width:1180px;margin:0 auto;padding:16px 20px 48px}
header{display:flex;align-items:flex-start;justify-content:space-between;gap:16px;margin:20px 0 8px}
h1{font-size:1.7rem;line-height:1.25;margin:0;overflow-wrap:anywhere}
h2{font-size:1.2rem;line-height:1.3;margin:0 0 10px;overflow-wrap:anywhere}
section{margin:34px 0 0}
p{margin:0 0 10px;max-width:75ch;overflow-wrap:anywhere}
button{font:inherit;font-size:.9rem;color:var(--ink);background:var(--paper);border:1px solid var(--edge);
  border-radius:6px;padding:4px 14px;cursor:pointer;flex:none}
button:hover{border-color:var(--muted)}
:focus-visible{outline:2px solid var(--accent);outline-offset:2px}
.lead{border:1px solid var(--edge);border-left:5px solid var(--loss);border-radius:6px;padding:10px 16px}
.lead .kicker{margin:0 0 4px;font-size:.85rem;color:var(--muted)}
.lead dl{display:flex;flex-wrap:wrap;gap:6px 32px;margin:0}
.lead dl div{min-width:0;max-width:100%}
.lead dt{font-size:.85rem;color:var(--muted)}
.lead dd{margin:0;font-weight:600;font-variant-numeric:tabular-nums;overflow-wrap:anywhere}
.lead ul{margin:8px 0 0;padding-left:20px}
.lead li{overflow-wrap:anywhere}
figure{margin:0;overflow-x:auto}
figure img{display:none}
.note{color:var(--muted);font-size:.92rem;margin-top:8px}
.scroll{overflow-x:auto;max-width:100%;position:relative}
.scroll:focus-visible{outline-offset:-2px}
table{border-collapse:collapse;font-size:.92rem;font-variant-numeric:tabular-nums}
caption{text-align:left;color:var(--muted);padding:0 0 6px}
th,td{padding:5px 14px 5px 0;text-align:left;vertical-align:top;border-bottom:1px solid var(--grid)}
thead th,thead td{border-bottom-color:var(--edge);color:var(--muted);font-weight:600;white-space:nowrap}
tbody th{font-weight:500}
td.number,th.number{text-align:right;white-space:nowrap}
tbody td,tbody th{white-space:nowrap}
tbody td.sentence{white-space:normal;min-width:16rem}
tbody td.definition{color:var(--muted);white-space:normal;min-width:11rem}
.unseen{position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%);white-space:nowrap}
main li{overflow-wrap:anywhere}
a{color:inherit;text-decoration:underline dotted var(--muted);text-underline-offset:3px}
a:hover{text-decoration-style:solid}
nav ol{display:flex;flex-wrap:wrap;gap:4px 18px;margin:10px 0 0;padding:0;list-style:none;font-size:.92rem}
h2,.definitions div{scroll-margin-top:12px}
section>*+figure,section>*+.scroll,section>*+.banner{margin-top:14px}
.banner{border:1px solid var(--edge);border-left-width:8px;border-radius:6px;padding:12px 18px}
.banner.good{border-left-color:var(--gain)}.banner.warn{border-left-color:var(--loss)}
.banner.bad{border-left-color:var(--mark)}
.good .sign{color:var(--gain)}.warn .sign{color:var(--loss)}.bad .sign{color:var(--mark)}
.verdict{font-size:1.3rem;font-weight:700;line-height:1.3;margin:0;max-width:none}
.sign{margin-right:.5em}
.banner ol{margin:8px 0 0;padding-left:22px}
td.best{font-weight:700}
table.beside thead th{white-space:normal;max-width:13rem;vertical-align:bottom;overflow-wrap:break-word}
.definitions dl{margin:0;columns:2;column-gap:40px}
.definitions div{break-inside:avoid;margin:0 0 8px;font-size:.92rem}
.definitions dt{font-weight:600}
.definitions dd{margin:0;color:var(--muted);overflow-wrap:anywhere}
.definitions div:target{outline:2px solid var(--accent);outline-offset:4px;border-radius:2px}
@media (max-width:600px){table.facts thead{display:none}
  table.facts tr{display:grid;grid-template-columns:1fr auto;border-bottom:1px solid var(--grid)}
  table.facts tr>*{border:0;white-space:normal}table.facts td.definition{grid-column:1/-1;padding-top:0}
  .definitions dl{columns:1}
  main{padding:12px 12px 32px}h1{font-size:1.35rem}.lead dl{gap:6px 22px}
  section{margin-top:26px}}
@media print{
  @page{margin:14mm}
  body{font-size:11pt}
  main{max-width:none;padding:0}
  button,nav{display:none}
  a{text-decoration:none}
  h1,h2{break-after:avoid}
  figure,tr,.lead,.banner{break-inside:avoid}
  figure,.scroll{overflow:visible}
  figure.still .chart{display:none}
  figure.still img{display:block;width:100%;height:auto}
  table{font-size:9.5pt}
}
"""

_SCRIPT: Final = """
(() => {
  const page = document.documentElement, button = document.getElementById("theme");
  const colours = JSON.parse(document.getElementById("colours")?.textContent ?? "{}");
  const figures = [...document.querySelectorAll("figure")];
  const swapped = (value, swaps) => {
    if (typeof value == "string") return swaps[value.toLowerCase()] ?? value;
    if (Array.isArray(value)) {
      const next = value.map((entry) => typeof entry == "string" ? swapped(entry, swaps) : entry);
      return next.some((entry, place) => entry !== value[place]) ? next : value;
    }
    if (value && Object.getPrototypeOf(value) === Object.prototype && typeof value.value == "string") {
      const next = swapped(value.value, swaps);
      return next === value.value ? value : {...value, value: next};
    }
    return value;
  };
  const restyle = (name) => {
    const swaps = colours[name];
    for (const drawn of swaps ? globalThis.Bokeh.documents : []) {
      for (const model of drawn.all_models) {
        const changes = {};
        for (const property of model) {
          if (property.is_unset || !/color|palette/.test(property.attr)) continue;
          const value = property.get_value(), next = swapped(value, swaps);
          if (next !== value) changes[property.attr] = next;
        }
        if (Object.keys(changes).length) model.setv(changes);
      }
    }
  };
  const choose = (name) => {
    page.dataset.theme = name;
    button.textContent = name == "dark" ? "Light" : "Dark";
    button.setAttribute("aria-label", `Switch to the ${button.textContent.toLowerCase()} theme`);
    restyle(name);
  };
  const views = new Map();
  const plots = (view) => view.renderer_views ? [view] : (view.child_views ?? []).flatMap(plots);
  // printing waits for nothing, so colours that Bokeh would apply at its next paint are applied here, and legend signs,
  // which live on canvases of their own, are copied into the picture
  const renew = (plot) => {
    for (const part of plot.renderer_views.values()) {
      part.glyph?.set_visuals(part.model.data_source, part.all_indices);
      part.glyph?.after_visuals();
    }
    for (const part of plot.renderer_views.values()) part._paint_glyphs?.();
  };
  const photograph = (view) => {
    const canvas = view.export("png", true).canvas, from = view.el.getBoundingClientRect();
    const pen = canvas.getContext("2d"), ratio = canvas.width / from.width;
    pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    for (const plot of plots(view)) {
      for (const part of plot.renderer_views.values()) {
        for (const sign of part._paint_glyphs ? part.el.shadowRoot.querySelectorAll("canvas") : []) {
          const at = sign.getBoundingClientRect();
          if (at.width) pen.drawImage(sign, at.x - from.x, at.y - from.y, at.width, at.height);
        }
      }
    }
    return canvas.toDataURL();
  };
  const still = () => {
    const restyled = page.dataset.theme != "light";
    if (restyled) restyle("light");
    for (const [figure, view] of views) {
      if (restyled) plots(view).forEach(renew);
      const image = figure.querySelector("img") ?? figure.appendChild(document.createElement("img"));
      image.alt = figure.getAttribute("aria-label");
      image.src = photograph(view);
      figure.classList.add("still");
    }
  };
  const draw = async (figure) => {
    const item = JSON.parse(figure.querySelector(".item").textContent), place = figure.querySelector(".chart");
    place.replaceChildren();
    const drawn = await globalThis.Bokeh.embed.embed_item(item, place);
    place.style.minHeight = "";
    views.set(figure, [...drawn].find((view) => view.model.id == item.root_id));
  };
  button.hidden = false;
  button.addEventListener("click", () => choose(page.dataset.theme == "dark" ? "light" : "dark"));
  addEventListener("beforeprint", still);
  addEventListener("afterprint", () => restyle(page.dataset.theme));
  choose(page.dataset.theme);
  Promise.all(figures.map(draw)).then(() => {
    choose(page.dataset.theme);
    page.dataset.ready = "yes";
  });
})();
"""


def style() -> str:
    """The style sheet: both themes as variables, narrow screens, print on white."""
    light, dark = (_variables(name) for name in ("light", "dark"))
    return (
        f":root{{{light};color-scheme:light}}:root[data-theme=dark]{{{dark};color-scheme:dark}}{_STYLE}"
        f"@media print{{:root,:root[data-theme=dark]{{{light};color-scheme:light}}}}"
    )


def script() -> str:
    """Draws the figures, switches the theme, and makes still pictures before printing."""
    return _SCRIPT


def _variables(name: str) -> str:
    theme = THEMES[name]
    roles = ("paper", "ink", "muted", "grid", "edge", "gain", "loss", "mark")
    pairs = [f"--{role}:{getattr(theme, role)}" for role in roles]
    icons = f"--bokeh-icon-color:{theme.muted};--bokeh-base-font:{FONTS}"
    return ";".join([*pairs, f"--accent:{theme.series[0]}", f"--fonts:{FONTS}", icons])
