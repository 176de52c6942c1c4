"""The report's one style sheet: nothing from elsewhere; follows the reader's light or dark setting."""

CSS = """
:root {
  color-scheme: light dark;
  --page: #fcfcfa; --card: #ffffff; --ink: #1d1f21; --quiet: #686d72; --line: #e4e4df; --code: #f4f4ef;
  --kept: #1b7f6b; --removed: #d98a29; --bad: #b4325a; --all: #c9cdc8; --accent: #14614f;
}
@media (prefers-color-scheme: dark) {
  :root {
    --page: #141617; --card: #1b1e20; --ink: #e8e8e3; --quiet: #9aa0a4; --line: #2f3437; --code: #222628;
    --kept: #3fae94; --removed: #d99a45; --bad: #e0698c; --all: #4a5155; --accent: #7fd6c0;
  }
}
* { box-sizing: border-box; }
body {
  margin: 0; background: var(--page); color: var(--ink);
  font: 15px/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", sans-serif;
}
main { max-width: 64rem; margin: 0 auto; padding: 2.5rem 1.25rem 4rem; }
h1 { font-size: 2rem; line-height: 1.15; letter-spacing: -.02em; margin: .1rem 0 .5rem; }
h2 { font-size: 1.2rem; letter-spacing: -.01em; margin: 0 0 .35rem; }
h3 { font-size: .95rem; margin: 1.6rem 0 .4rem; }
p { margin: .3rem 0; text-wrap: pretty; }
section { margin-top: 3rem; }
.eyebrow {
  color: var(--accent); font-size: .78rem; font-weight: 650; letter-spacing: .09em;
  text-transform: uppercase;
}
.lead { font-size: 1.05rem; max-width: 46rem; }
.note, .quiet { color: var(--quiet); }
.note { max-width: 46rem; margin-bottom: 1rem; }
.warn { border-left: 3px solid var(--bad); padding: .4rem .8rem; background: var(--code); margin: 1rem 0; }
.tiles {
  display: grid; grid-template-columns: repeat(auto-fit, minmax(9.5rem, 1fr)); gap: .75rem;
  margin-top: 1.5rem;
}
.tile { background: var(--card); border: 1px solid var(--line); border-radius: .6rem; padding: .8rem 1rem; }
.tile b {
  display: block; font-size: 1.55rem; line-height: 1.2; letter-spacing: -.02em;
  font-variant-numeric: tabular-nums;
}
.tile span { color: var(--quiet); font-size: .85rem; }
.stage {
  display: grid; grid-template-columns: 7.5rem 1fr; gap: .1rem 1rem; padding: .85rem 0;
  border-top: 1px solid var(--line);
}
.stage > .name { font-weight: 600; }
.stage > .name small { display: block; font-weight: 400; color: var(--quiet); }
.stage .figures { font-size: .88rem; color: var(--quiet); font-variant-numeric: tabular-nums; }
.stage .figures b { color: var(--ink); font-weight: 600; }
.bar {
  display: flex; height: 1.35rem; margin: .15rem 0 .2rem; background: var(--code);
  border-radius: .25rem; overflow: hidden;
}
.bar.thin { height: .45rem; }
.bar span { min-width: 2px; }
.kept { background: var(--kept); fill: var(--kept); }
.removed { background: var(--removed); fill: var(--removed); }
.bad { background: var(--bad); fill: var(--bad); }
.all { background: var(--all); fill: var(--all); }
.legend { display: flex; flex-wrap: wrap; gap: .3rem 1.1rem; font-size: .85rem; color: var(--quiet); }
.legend i { display: inline-block; width: .7rem; height: .7rem; border-radius: .15rem; margin-right: .4rem; }
.scroll { overflow-x: auto; margin: .5rem 0; }
table { border-collapse: collapse; width: 100%; font-size: .9rem; font-variant-numeric: tabular-nums; }
th { text-align: left; font-weight: 600; color: var(--quiet); font-size: .8rem; white-space: nowrap; }
th, td { padding: .35rem 1rem .35rem 0; border-bottom: 1px solid var(--line); vertical-align: top; }
th:last-child, td:last-child { padding-right: 0; }
.n { text-align: right; white-space: nowrap; width: 1%; }
td:first-child { min-width: 8rem; }
td > .bar { min-width: 8rem; }
td { overflow-wrap: anywhere; min-width: 4.5rem; }
.mini {
  display: inline-block; width: 9rem; height: .55rem; background: var(--code); border-radius: .15rem;
  overflow: hidden;
}
.mini > span { display: block; height: 100%; min-width: 1px; }
.pct { display: inline-block; min-width: 3.6rem; text-align: right; }
.histogram { margin: .6rem 0 1.2rem; }
.histogram svg { display: block; width: 100%; height: 9rem; border-bottom: 1px solid var(--quiet); }
.histogram.small svg { height: 4rem; }
.histogram .removed.over { fill-opacity: .75; }
.axis { position: relative; height: 1.3rem; font-size: .75rem; color: var(--quiet); }
.axis span { position: absolute; transform: translateX(-50%); white-space: nowrap; }
.axis span:first-child { transform: none; }
.axis span:last-child:not(:first-child) { transform: translateX(-100%); }
.grid { display: grid; grid-template-columns: repeat(auto-fill, minmax(15rem, 1fr)); gap: .5rem 1.5rem; }
.grid h4 { font: 500 .82rem/1.3 ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; margin: .4rem 0 0; }
details { border-top: 1px solid var(--line); padding: .5rem 0; }
summary { cursor: pointer; font-weight: 500; }
summary .quiet { font-weight: 400; }
.doc {
  background: var(--card); border: 1px solid var(--line); border-radius: .5rem; padding: .7rem .9rem;
  margin: .7rem 0;
}
.doc .where { font-size: .82rem; color: var(--quiet); overflow-wrap: anywhere; }
.doc .text {
  white-space: pre-wrap; overflow-wrap: anywhere; unicode-bidi: isolate; margin: .45rem 0;
  font-size: .92rem;
}
.doc .text.empty { color: var(--quiet); font-style: italic; }
.pair { display: grid; grid-template-columns: repeat(auto-fit, minmax(16rem, 1fr)); gap: 0 1.5rem; }
.signals { display: flex; flex-wrap: wrap; gap: .25rem .4rem; font-size: .76rem; }
.doc details { border: 0; padding: .2rem 0 0; font-size: .82rem; }
.signals span { background: var(--code); border-radius: .25rem; padding: .05rem .4rem; }
code, .mono {
  font-family: ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; font-size: .85em; overflow-wrap: anywhere;
}
footer {
  margin-top: 4rem; padding-top: 1rem; border-top: 1px solid var(--line);
  color: var(--quiet); font-size: .82rem;
}
@media (max-width: 34rem) {
  main { padding: 1.5rem 1rem 3rem; }
  .mini { display: none; }
  .stage { grid-template-columns: 1fr; }
  .stage > .name small { display: inline; margin-left: .5rem; }
}
@media print { details { break-inside: avoid; } }
"""
