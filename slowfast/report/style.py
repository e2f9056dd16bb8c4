"""The page's style sheet: light and dark, readable without any other file."""

STYLE = """
:root { color-scheme: light dark; --bg: #faf9f6; --card: #ffffff; --fg: #1c2130; --muted: #667085; --line: #e3e1da;
  --vote: #c2610c; --mean: #1c2130; --right: #15803d; --wrong: #c0262d; --heat: 37 99 235; --band: #efece4;
  --v0: #2563eb; --v1: #0d9488; --v2: #7c3aed; --v3: #db2777; --v4: #65a30d; --v5: #0891b2; }
@media (prefers-color-scheme: dark) {
  :root { --bg: #10131a; --card: #181d27; --fg: #e8eaf0; --muted: #98a2b3; --line: #2b3240; --vote: #fb923c;
    --mean: #e8eaf0; --right: #4ade80; --wrong: #f87171; --heat: 96 150 255; --band: #1f2531; --v0: #60a5fa;
    --v1: #2dd4bf; --v2: #a78bfa; --v3: #f472b6; --v4: #a3e635; --v5: #22d3ee; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--bg); color: var(--fg); font: 16px/1.55 system-ui, sans-serif; }
main { max-width: 1080px; margin: 0 auto; padding: 32px 20px 80px; }
h1 { font-size: 2rem; line-height: 1.2; margin: 0 0 8px; letter-spacing: -.02em; }
h2 { font-size: 1.35rem; margin: 56px 0 6px; letter-spacing: -.01em; }
h3 { font-size: 1rem; margin: 28px 0 8px; }
p { max-width: 74ch; margin: 6px 0 14px; }
.lead, .note { color: var(--muted); } .note { font-size: .875rem; }
nav { display: flex; flex-wrap: wrap; gap: 6px 18px; margin: 18px 0 0; font-size: .9rem; }
a { color: var(--v0); text-decoration: none; } a:hover { text-decoration: underline; }
.numbers { display: grid; grid-template-columns: repeat(auto-fit, minmax(150px, 1fr)); gap: 12px; margin: 24px 0 0; }
.numbers div { background: var(--card); border: 1px solid var(--line); border-radius: 10px; padding: 12px 16px; }
.numbers b { display: block; font-size: 1.7rem; line-height: 1.2; font-variant-numeric: tabular-nums; }
.numbers span { color: var(--muted); font-size: .85rem; }
.card { background: var(--card); border: 1px solid var(--line); border-radius: 10px; padding: 16px; overflow-x: auto; }
.card + .card, .two { margin-top: 12px; } .card h3 { margin-top: 0; }
.two { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 440px), 1fr)); gap: 12px; }
.two .card { margin: 0; }
table { border-collapse: collapse; font-size: .875rem; font-variant-numeric: tabular-nums; width: 100%; }
th, td { padding: 5px 10px; text-align: right; border-bottom: 1px solid var(--line); white-space: nowrap; }
th:first-child, td:first-child { text-align: left; } thead th { color: var(--muted); font-weight: 600; }
tbody tr:last-child td, tbody tr:last-child th { border-bottom: 0; }
td.vote, th.vote { color: var(--vote); font-weight: 700; } td.mean { font-weight: 600; }
tr.control { background: var(--band); } .heat { text-align: center; }
td.heat { border: 1px solid var(--card); }
thead th.turned { height: 104px; vertical-align: bottom; text-align: left; padding: 0; }
thead th.turned div { width: 44px; transform: translate(26px, -6px) rotate(-45deg); transform-origin: 0 100%; }
.steps { display: grid; grid-template-columns: repeat(auto-fill, minmax(300px, 1fr)); gap: 10px 28px; margin: 0; }
.steps dt { font-weight: 600; } .steps dd { margin: 0; color: var(--muted); font-size: .9rem; }
svg { display: block; width: 100%; max-width: var(--w); height: auto; font: 12px system-ui, sans-serif; }
svg.ladder { max-width: none; min-width: 760px; } svg.pseudo { min-width: 420px; }
svg .grid { stroke: var(--line); } svg .tick { fill: var(--muted); } svg .tiny { fill: var(--muted); font-size: 8.5px; }
svg .band { fill: var(--band); shape-rendering: crispEdges; } svg .value { fill: var(--fg); text-anchor: middle; }
svg polyline { fill: none; stroke-width: 1.5; stroke-opacity: .45; }
svg g.v0, .dot.v0 { --c: var(--v0); } svg g.v1, .dot.v1 { --c: var(--v1); } svg g.v2, .dot.v2 { --c: var(--v2); }
svg g.v3, .dot.v3 { --c: var(--v3); } svg g.v4, .dot.v4 { --c: var(--v4); } svg g.v5, .dot.v5 { --c: var(--v5); }
svg g.mean, .dot.mean { --c: var(--mean); } svg g.vote, .dot.vote { --c: var(--vote); }
svg g polyline { stroke: var(--c); } svg g circle { fill: var(--c); stroke: var(--card); stroke-width: 1; }
svg g.mean polyline { stroke-width: 2; stroke-dasharray: 5 4; stroke-opacity: .8; }
svg g.vote polyline { stroke-width: 3; stroke-opacity: 1; }
svg g.vote text { fill: var(--vote); font-weight: 700; text-anchor: middle; }
.legend { display: flex; flex-wrap: wrap; gap: 4px 18px; margin: 8px 0 0; font-size: .85rem; max-width: none; }
.key { white-space: nowrap; }
.dot { display: inline-block; width: 10px; height: 10px; border-radius: 50%; background: var(--c); margin-right: 6px; }
svg .precision { fill: var(--right); } svg .coverage { fill: var(--v0); fill-opacity: .55; }
.dot.precision { --c: var(--right); } .dot.coverage { --c: var(--v0); }
svg .frame { fill: none; stroke: var(--line); } svg .right { fill: var(--right); } svg .wrong { fill: var(--wrong); }
.matrices { display: grid; grid-template-columns: repeat(auto-fill, minmax(210px, 1fr)); gap: 18px; }
figure { margin: 0; } figcaption { font-size: .875rem; font-weight: 600; margin-bottom: 4px; }
figcaption span { color: var(--muted); font-weight: 400; }
.clips { display: grid; grid-template-columns: repeat(auto-fill, minmax(310px, 1fr)); gap: 16px; }
.clip { background: var(--card); border: 1px solid var(--line); border-radius: 10px; overflow: hidden; }
.pair { display: grid; grid-template-columns: 1fr 1fr; background: #000; gap: 2px; }
.film { aspect-ratio: var(--ratio); background: var(--img) 0 0 / calc(100% * var(--n)) 100% no-repeat;
  animation: film calc(var(--n) * .14s) steps(var(--n), jump-none) infinite; }
.film.still, .clip:hover .film { animation-play-state: paused; }
@keyframes film { from { background-position-x: 0; } to { background-position-x: 100%; } }
@media (prefers-reduced-motion: reduce) { .film { animation: none; } }
.clip dl { display: grid; grid-template-columns: auto 1fr; gap: 2px 12px; margin: 0; padding: 10px 14px 12px; }
.clip dt { color: var(--muted); } .clip dd { margin: 0; text-align: right; } .clip dl { font-size: .875rem; }
.ok { color: var(--right); } .no { color: var(--wrong); }
.bar { display: inline-block; height: 9px; border-radius: 2px; background: rgb(var(--heat) / .6); }
td.wide { width: 60%; text-align: left; } details { margin-top: 12px; }
summary { cursor: pointer; color: var(--muted); font-size: .9rem; }
@media print { .card, .clip, figure { break-inside: avoid; } nav { display: none; } }
"""
